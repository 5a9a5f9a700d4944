//! `status`: the ledger of an output folder.

use std::fmt::Write as _;

use crate::cli::Status;
use crate::exit::{self, Failure};
use crate::ledger::{self, Ledger};
use crate::out;

/// Prints who is done, who failed and why, who is missing.
pub(crate) fn run(args: &Status) -> Result<u8, Failure> {
    let ledger = ledger::read(&args.out).map_err(Failure::bad_input)?;
    if args.json {
        out::print_json(&ledger).map_err(Failure::io)?;
    } else {
        out::print(&as_text(&ledger)).map_err(Failure::io)?;
    }
    Ok(exit::DONE)
}

fn as_text(ledger: &Ledger) -> String {
    let mut text = String::new();
    for entry in &ledger.patients {
        let state = format!("{:?}", entry.state).to_lowercase();
        let _ = write!(text, "{:<24} {state:<12}", entry.id);
        if !entry.message.is_empty() {
            let _ = write!(text, " {}: {}", entry.stage, entry.message);
        }
        if !entry.remedy.is_empty() {
            let _ = write!(text, " → {}", entry.remedy);
        }
        text.push('\n');
    }
    let counts: Vec<String> =
        ledger.counts.iter().map(|(state, n)| format!("{n} {}", format!("{state:?}").to_lowercase())).collect();
    let _ = writeln!(text, "{}", counts.join(", "));
    text
}
