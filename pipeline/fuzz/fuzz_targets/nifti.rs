//! A NIfTI image, plain or gzipped.
#![no_main]

use lesiontrace_fuzz as fuzz;
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: fuzz::let_caught_panics_pass(), |data: &[u8]| {
    fuzz::readers::nifti_image(&fuzz::file("input", data));
});
