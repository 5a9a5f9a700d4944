//! One archive in a zip file: a byte that says whether the rest is the zip file itself, or a file that whole zips are made around,
//! because a checksum stops most of what a fuzzer makes of a zip file.
#![no_main]

use lesiontrace_fuzz as fuzz;
use lesiontrace_testkit::seeds;
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: fuzz::let_caught_panics_pass(), |data: &[u8]| {
    let [kind, bytes @ ..] = data else { return };
    let zip = if kind % 2 == 0 { bytes.to_vec() } else { seeds::archive_of(bytes) };
    fuzz::readers::archive(&fuzz::new_file("zip", &zip));
});
