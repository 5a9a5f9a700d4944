//! A study file.
#![no_main]

use lesiontrace_fuzz as fuzz;
use libfuzzer_sys::fuzz_target;

#[path = "../../lesiontrace/src/config.rs"]
#[expect(dead_code, reason = "the target uses one function of the program's module")]
mod config;
#[path = "../../lesiontrace/src/out.rs"]
#[expect(dead_code, reason = "the target uses one function of the program's module")]
mod out;

fuzz_target!(init: fuzz::let_caught_panics_pass(), |data: &[u8]| {
    let _ = config::load(Some(&fuzz::file("study.toml", data)));
});
