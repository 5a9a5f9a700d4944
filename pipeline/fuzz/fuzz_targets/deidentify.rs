//! One DICOM file through de-identification, as it is and with a name in every corner of it, which no output may hold.
#![no_main]

use lesiontrace_fuzz as fuzz;
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: fuzz::let_caught_panics_pass(), |data: &[u8]| {
    let folder = fuzz::folder_with_input("input.dcm", data);
    let _ = fuzz::secrets::deidentified(folder) && fuzz::secrets::check_secrets(folder);
});
