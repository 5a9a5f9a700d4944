//! A model card.
#![no_main]

use lesiontrace_fuzz as fuzz;
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: fuzz::let_caught_panics_pass(), |data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let _ = lesiontrace_inference::Card::parse(text);
});
