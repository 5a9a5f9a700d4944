//! `criterion`: the built-in response criteria, or one of them with its sources.

use std::fmt::Write as _;

use oncology::CriterionTable;
use oncology::criteria::table::BUILT_IN;

use crate::cli::{Criterion, CriterionAction};
use crate::exit::{self, Failure};
use crate::out;

/// Lists or shows.
pub(crate) fn run(args: &Criterion) -> Result<u8, Failure> {
    let text = match &args.action {
        CriterionAction::List => {
            let mut text = String::new();
            for (id, toml) in BUILT_IN {
                let table = CriterionTable::parse(toml).map_err(Failure::internal)?;
                let _ = writeln!(text, "{id:<14} version {}  {} ({})", table.version, table.title, table.source);
            }
            text
        }
        CriterionAction::Show { id } => table(id)?.text().to_owned(),
    };
    out::print(&text).map_err(Failure::io)?;
    Ok(exit::DONE)
}

/// A built-in criterion by its identifier, or one of the user's own by the path of its file.
pub(crate) fn table(id_or_path: &str) -> Result<CriterionTable, Failure> {
    let is_path = std::path::Path::new(id_or_path).extension().is_some_and(|extension| extension == "toml");
    if !is_path {
        return CriterionTable::built_in(id_or_path).map_err(Failure::usage);
    }
    let text = std::fs::read_to_string(id_or_path).map_err(|error| {
        Failure::io(anyhow::Error::from(error).context(format!("reading the criterion {id_or_path}")))
    })?;
    CriterionTable::parse(&text).map_err(|error| Failure::bad_input(anyhow::anyhow!("{id_or_path}: {error}")))
}
