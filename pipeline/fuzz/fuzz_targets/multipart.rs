//! A line with a content type, then the answer of an archive in parts.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(init: lesiontrace_fuzz::let_caught_panics_pass(), |data: &[u8]| lesiontrace_fuzz::targets::multipart(data));
