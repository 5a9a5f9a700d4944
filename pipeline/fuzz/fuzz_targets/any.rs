//! Any of the targets, named by LESIONTRACE_FUZZ_TARGET: one program to build and link where all are run.
#![no_main]

use std::sync::OnceLock;

use lesiontrace_fuzz::targets::{self, Target};
use libfuzzer_sys::fuzz_target;

static TARGET: OnceLock<Target> = OnceLock::new();

fn named() -> Target {
    let name = std::env::var("LESIONTRACE_FUZZ_TARGET").unwrap_or_default();
    let found = targets::ALL.iter().find(|(known, _)| *known == name);
    found
        .unwrap_or_else(|| {
            panic!("LESIONTRACE_FUZZ_TARGET: expected the name of a file of fuzz_targets, found {name:?}")
        })
        .1
}

fuzz_target!(
    init: {
        TARGET.get_or_init(named);
        lesiontrace_fuzz::let_caught_panics_pass();
    },
    |data: &[u8]| TARGET.get_or_init(named)(data)
);
