//! What an archive says over an association: a byte for what it was asked, then its protocol data units.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(init: lesiontrace_fuzz::let_caught_panics_pass(), |data: &[u8]| lesiontrace_fuzz::targets::dimse(data));
