//! One clinical table: a byte for which, then its text.
#![no_main]

use lesiontrace_fuzz as fuzz;
use lesiontrace_testkit::seeds;
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: fuzz::let_caught_panics_pass(), |data: &[u8]| {
    let [which, text @ ..] = data else { return };
    let tables = seeds::clinical_tables();
    let (name, _) = tables[usize::from(*which) % tables.len()];
    fuzz::readers::clinical(fuzz::folder_with(name, text));
});
