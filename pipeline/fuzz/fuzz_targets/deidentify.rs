//! One DICOM file through de-identification, as it is and with a name in every corner of it, which no output may hold.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(init: lesiontrace_fuzz::let_caught_panics_pass(), |data: &[u8]| lesiontrace_fuzz::targets::deidentify(data));
