//! A measurement report (TID 1500).
#![no_main]

use lesiontrace_fuzz as fuzz;
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: fuzz::let_caught_panics_pass(), |data: &[u8]| {
    fuzz::readers::report(&fuzz::file("input", data));
});
