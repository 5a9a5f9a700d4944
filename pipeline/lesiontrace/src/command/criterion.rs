//! `criterion`: the built-in response criteria, or one of them with its sources.

use std::fmt::Write as _;

use oncology::CriterionTable;
use oncology::criteria::family;
use oncology::criteria::table::BUILT_IN;

use crate::cli::{Criterion, CriterionAction};
use crate::exit::{self, Failure};
use crate::out;

/// Lists or shows.
pub(crate) fn run(args: &Criterion) -> Result<u8, Failure> {
    let text = match &args.action {
        CriterionAction::List => {
            let mut text = String::new();
            for (heading, _) in family::all().map_err(Failure::internal)? {
                let family::Heading { id, title, version, source } = heading;
                let _ = writeln!(text, "{id:<22} version {version}  {title} ({source})");
            }
            text
        }
        CriterionAction::Show { id } if is_path(id) => table(id)?.text().to_owned(),
        CriterionAction::Show { id } => family::text_of(id).map_err(Failure::usage)?.to_owned(),
    };
    out::print(&text).map_err(Failure::io)?;
    Ok(exit::DONE)
}

/// A built-in criterion by its identifier, or one of the user's own by the path of its file.
pub(crate) fn table(id_or_path: &str) -> Result<CriterionTable, Failure> {
    if !is_path(id_or_path) {
        return CriterionTable::built_in(id_or_path)
            .map_err(|error| Failure::usage(not_of_diameters(id_or_path).unwrap_or_else(|| error.into())));
    }
    let text = std::fs::read_to_string(id_or_path).map_err(|error| {
        Failure::io(anyhow::Error::from(error).context(format!("reading the criterion {id_or_path}")))
    })?;
    CriterionTable::parse(&text).map_err(|error| Failure::bad_input(anyhow::anyhow!("{id_or_path}: {error}")))
}

/// What is said of a criterion that is built in and compares something else than diameters.
fn not_of_diameters(id: &str) -> Option<anyhow::Error> {
    family::all().ok()?.iter().find(|(heading, _)| heading.id == id)?;
    let of_diameters: Vec<&str> = BUILT_IN.iter().map(|(name, _)| *name).collect();
    Some(anyhow::anyhow!(
        "criterion {id:?} compares other figures than the diameters of TU and TR; expected one of {}. A run judges it beside them: \
         further = [{id:?}] under [criteria] of the study file",
        of_diameters.join(", ")
    ))
}

fn is_path(id_or_path: &str) -> bool {
    std::path::Path::new(id_or_path).extension().is_some_and(|extension| extension == "toml")
}
