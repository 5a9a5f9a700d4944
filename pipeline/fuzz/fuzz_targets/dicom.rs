//! One DICOM file, alone and as a slice of a series.
#![no_main]

use std::sync::OnceLock;

use lesiontrace_formats::dicom::SliceHeader;
use lesiontrace_formats::dicom::header::read_headers;
use lesiontrace_fuzz as fuzz;
use lesiontrace_testkit::seeds;
use libfuzzer_sys::fuzz_target;

static SIBLINGS: OnceLock<Vec<SliceHeader>> = OnceLock::new();

/// Two whole slices of the series the seeds belong to.
fn siblings() -> &'static [SliceHeader] {
    SIBLINGS.get_or_init(|| {
        let read = |k: usize| read_headers(&fuzz::file(&format!("sibling-{k}"), &seeds::ct_slice(k)));
        [1, 2].into_iter().flat_map(|k| read(k).expect("a whole slice can be read")).collect()
    })
}

fuzz_target!(init: fuzz::let_caught_panics_pass(), |data: &[u8]| {
    fuzz::readers::image(&fuzz::file("input", data), siblings());
});
