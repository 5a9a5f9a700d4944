//! `model`: the models of a folder, or one model checked against its card.

use std::fmt::Write as _;
use std::path::Path;

use inference::{Device, Model as OpenModel, RuntimeError, RuntimeOptions, SegmentError, Segmenter, list_models};
use oncology::Evaluable;
use serde::Serialize;

use crate::cli::{Global, Model, ModelAction};
use crate::exit::{self, Failure};
use crate::{out, session};

/// Lists or checks.
pub(crate) fn run(args: &Model, global: &Global) -> Result<u8, Failure> {
    match &args.action {
        ModelAction::List { folder, json } => list(folder, *json),
        ModelAction::Check { folder, json } => check(folder, *json, global),
    }
}

/// One line of the list.
#[derive(Serialize)]
struct Line {
    folder: String,
    name: Evaluable<String>,
    version: String,
    licence: String,
    intended_use: String,
}

fn list(folder: &Path, json: bool) -> Result<u8, Failure> {
    let unreadable = |error| anyhow::anyhow!("expected a folder of model folders at {}: {error}", folder.display());
    let models = list_models(folder).map_err(|error| Failure::bad_input(unreadable(error)))?;
    let lines: Vec<Line> = models
        .into_iter()
        .map(|(path, card)| {
            let folder = path.display().to_string();
            match card {
                Ok(card) => Line {
                    folder,
                    name: Evaluable::Value(card.name),
                    version: card.version,
                    licence: card.licence,
                    intended_use: card.intended_use,
                },
                Err(error) => Line {
                    folder,
                    name: Evaluable::not(error.to_string()),
                    version: String::new(),
                    licence: String::new(),
                    intended_use: String::new(),
                },
            }
        })
        .collect();
    if json {
        out::print_json(&lines).map_err(Failure::io)?;
        return Ok(exit::DONE);
    }
    let mut text = String::new();
    for line in &lines {
        let _ = match &line.name {
            Evaluable::Value(name) => {
                writeln!(text, "{}: {name} {} ({}); {}", line.folder, line.version, line.licence, line.intended_use)
            }
            Evaluable::NotEvaluable(reason) => writeln!(text, "{}: not usable, {reason}", line.folder),
        };
    }
    if lines.is_empty() {
        let _ = writeln!(text, "no model folder (one with a card.toml) in {}", folder.display());
    }
    out::print(&text).map_err(Failure::io)?;
    Ok(exit::DONE)
}

/// What a check found.
#[derive(Serialize)]
struct Checked {
    name: String,
    version: String,
    sha256: String,
    licence: String,
    clinical_use: bool,
    loads: Evaluable<bool>,
}

fn check(folder: &Path, json: bool, global: &Global) -> Result<u8, Failure> {
    let card = OpenModel::open(folder).map_err(Failure::bad_input)?.card;
    let options = RuntimeOptions {
        library: global.onnxruntime.clone(),
        device: Device::Cpu,
        n_threads: session::n_threads(global),
    };
    let loads = match Segmenter::open(folder, &options) {
        Ok(_) => Evaluable::Value(true),
        // Card and digest are proven without the runtime; that the network loads is not.
        Err(SegmentError::Runtime(RuntimeError::Library(error))) => Evaluable::not(error.to_string()),
        Err(error) => return Err(Failure::bad_input(error)),
    };
    let checked = Checked {
        name: card.name,
        version: card.version,
        sha256: card.sha256,
        licence: card.licence,
        clinical_use: card.clinical_use,
        loads,
    };
    if json {
        out::print_json(&checked).map_err(Failure::io)?;
    } else {
        let loads = match &checked.loads {
            Evaluable::Value(_) => "the network loads".to_owned(),
            Evaluable::NotEvaluable(reason) => format!("whether the network loads was not checked: {reason}"),
        };
        let text = format!(
            "{} {}: the card is complete, the network is the one it describes (SHA-256 {}); {loads}\n",
            checked.name, checked.version, checked.sha256
        );
        out::print(&text).map_err(Failure::io)?;
    }
    Ok(exit::DONE)
}
