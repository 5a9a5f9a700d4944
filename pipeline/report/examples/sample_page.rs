//! Writes a made-up patient's page and a made-up cohort's page below the folder given, to look at them in a browser.
//!
//! Every number here is invented; the grey images are drawn from formulas.
#![expect(clippy::disallowed_methods, reason = "an example that writes two files, not the pure library")]
#![expect(clippy::unwrap_used, reason = "an example with fixed input")]

#[path = "sample_page/cohort.rs"]
mod cohort;
#[path = "sample_page/image.rs"]
mod image;
#[path = "sample_page/patient.rs"]
mod patient;

use std::path::PathBuf;

fn main() {
    let Some(folder) = std::env::args().nth(1).map(PathBuf::from) else {
        eprintln!("usage: cargo run -p lesiontrace-report --example sample_page -- FOLDER");
        std::process::exit(2);
    };
    let page = patient::page();
    let patient_folder = folder.join("patients").join(&page.patient_id);
    std::fs::create_dir_all(&patient_folder).unwrap();
    std::fs::create_dir_all(folder.join("cohort")).unwrap();
    std::fs::write(patient_folder.join("report.html"), lesiontrace_report::render_patient(&page).unwrap()).unwrap();
    std::fs::write(folder.join("cohort/report.html"), lesiontrace_report::render_cohort(&cohort::page()).unwrap())
        .unwrap();
}
