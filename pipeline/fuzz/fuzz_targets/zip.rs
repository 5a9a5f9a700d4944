//! One archive in a zip file: a byte that says whether the rest is the zip file itself, or a file that whole zips are made around,
//! because a checksum stops most of what a fuzzer makes of a zip file.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(init: lesiontrace_fuzz::let_caught_panics_pass(), |data: &[u8]| lesiontrace_fuzz::targets::zip(data));
