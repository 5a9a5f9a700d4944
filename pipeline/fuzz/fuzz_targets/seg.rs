//! A DICOM segmentation and its masks.
#![no_main]

use lesiontrace_fuzz as fuzz;
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: fuzz::let_caught_panics_pass(), |data: &[u8]| {
    fuzz::readers::segmentation(&fuzz::file("input", data));
});
