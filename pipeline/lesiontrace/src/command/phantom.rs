//! `phantom`: a synthetic DICOM archive with clinical tables, true masks and known truth.

use phantom::{CohortSpec, Scenario};

use crate::cli::{Global, Phantom};
use crate::exit::{self, Failure};
use crate::{out, phantom_archive, session};

/// Writes the archive and says what it holds.
pub(crate) fn run(args: &Phantom, global: &Global) -> Result<u8, Failure> {
    let scenario = args.scenario.as_deref().map(str::parse::<Scenario>).transpose().map_err(Failure::usage)?;
    let spec = CohortSpec { n_patients: args.patients, seed: args.seed, scenario };
    let progress = session::progress(global, 0, "visits");
    let truth = phantom_archive::write(&spec, &args.out, &progress).map_err(Failure::io)?;
    let n_visits: usize = truth.patients.iter().map(|patient| patient.visits.len()).sum();
    let text = format!(
        "{} synthetic patients with {n_visits} visits in {} (images, clinical/, masks/, truth.json)\n",
        truth.patients.len(),
        args.out.display()
    );
    out::print(&text).map_err(Failure::io)?;
    Ok(exit::DONE)
}
