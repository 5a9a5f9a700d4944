//! The compressed pixels of one slice: a byte for the transfer syntax, two for columns and rows, one for the bits, then the code.
#![no_main]

use lesiontrace_fuzz as fuzz;
use lesiontrace_testkit::seeds;
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: fuzz::let_caught_panics_pass(), |data: &[u8]| {
    let [syntax, columns, rows, bits, code @ ..] = data else { return };
    let syntax = seeds::COMPRESSED[usize::from(*syntax) % seeds::COMPRESSED.len()];
    let size = (u16::from(*columns), u16::from(*rows));
    let bits = if bits % 2 == 0 { 8 } else { 16 };
    let slice = seeds::compressed_slice(syntax, size, bits, code);
    fuzz::readers::image(&fuzz::file("input", &slice), &[]);
});
