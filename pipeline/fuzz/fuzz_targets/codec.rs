//! The compressed pixels of one slice: a byte for the transfer syntax, two for columns and rows, one for the bits, then the code.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(init: lesiontrace_fuzz::let_caught_panics_pass(), |data: &[u8]| lesiontrace_fuzz::targets::codec(data));
