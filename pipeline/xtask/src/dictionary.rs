//! The data dictionary of a cohort's tables, from the documentation of the rows they are made of. `cargo xtask dictionary` writes it
//! as a page and as the table that the program has built in; `tidy` asks that both are what the rows say.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;

/// The page, from the top of the repository.
pub(crate) const PAGE: &str = "pipeline/DATA_DICTIONARY.md";
/// The table that is built in.
pub(crate) const TABLE: &str = "configs/tables/columns.csv";
/// Where rows are defined.
pub(crate) const FOLDER: &str = "pipeline/oncology/src/";

/// Table, the type of its rows, and what one row is.
const TABLES: &[(&str, &str, &str)] = &[
    ("lesions", "LesionRow", "a lesion"),
    ("measurements", "MeasurementRow", "a quantity of a lesion at a visit"),
    ("pet_references", "PetReferenceRow", "a PET: reference uptake and conditions"),
    ("margins", "MarginRow", "an ablation of a lesion"),
    ("assessments", "AssessmentRow", "a visit by a criterion"),
    ("events", "EventRow", "an event"),
    ("endpoints", "EndpointRow", "an endpoint of a patient, a lesion or a cycle"),
    ("reads", "ReadRow", "a decision of a reader"),
    ("readings", "ReadingRow", "what a reader coded of a treated site"),
    ("best_responses", "BestRow", "a patient by a criterion"),
    ("abscopal", "AbscopalRow", "an untreated lesion that shrank"),
    ("table_baseline", "CharacteristicRow", "a characteristic of a group"),
    ("table_treatments", "TreatmentRow", "a modality"),
    ("table_complications", "ComplicationRow", "a grade of a complication"),
    ("table_efficacy", "EfficacyRow", "a rate of technical success or efficacy"),
    ("table_response", "ResponseRow", "a response at a fixed time in a group"),
    ("table_lesion_response", "LesionResponseRow", "a response of treated lesions"),
    ("table_best_response", "BestRateRow", "a rate of best responses"),
    ("table_sensitivity", "SensitivityRow", "an endpoint as measured or by the other class"),
    ("table_survival", "SurvivalRow", "an endpoint in a group"),
    ("table_landmarks", "LandmarkRow", "an endpoint in a group at a fixed time"),
    ("table_cox", "CoxRow", "a term of a Cox model"),
    ("table_patterns", "PatternRow", "a pattern of progression"),
    ("table_oligometastatic", "BurdenRow", "an oligometastatic state in a group"),
];

/// A column as its row documents it.
pub(crate) struct Column {
    name: String,
    kind: &'static str,
    about: String,
}

/// Writes page and table.
pub(crate) fn run(root: &Path) -> anyhow::Result<ExitCode> {
    let mut files = Vec::new();
    sources(&root.join(FOLDER), &mut files)?;
    let texts = files.iter().map(String::as_str);
    let tables = read(texts)?;
    std::fs::create_dir_all(root.join(TABLE).parent().unwrap_or(root))?;
    std::fs::write(root.join(PAGE), page(&tables)).with_context(|| format!("writing {PAGE}"))?;
    std::fs::write(root.join(TABLE), table(&tables)).with_context(|| format!("writing {TABLE}"))?;
    Ok(ExitCode::SUCCESS)
}

fn sources(folder: &Path, into: &mut Vec<String>) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            sources(&path, into)?;
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            into.push(std::fs::read_to_string(&path)?);
        }
    }
    Ok(())
}

/// The columns of every table, from the texts of the sources.
pub(crate) fn read<'a>(texts: impl Iterator<Item = &'a str>) -> anyhow::Result<Vec<Vec<Column>>> {
    let mut rows: BTreeMap<&str, Vec<Column>> = BTreeMap::new();
    for text in texts {
        for (_, row, _) in TABLES {
            if let Some(body) = body_of(text, row) {
                rows.insert(row, columns(body));
            }
        }
    }
    let of = |row: &str| rows.remove(row).with_context(|| format!("there is no struct {row} in {FOLDER}"));
    TABLES.iter().map(|(_, row, _)| *row).map(of).collect()
}

fn body_of<'a>(text: &'a str, row: &str) -> Option<&'a str> {
    let (_, after) = text.split_once(&format!("pub struct {row} {{\n"))?;
    after.split_once("\n}\n").map(|(body, _)| body)
}

fn columns(body: &str) -> Vec<Column> {
    let mut about = String::new();
    let mut found = Vec::new();
    for line in body.lines().map(str::trim) {
        if let Some(text) = line.strip_prefix("///") {
            if !about.is_empty() {
                about.push(' ');
            }
            about.push_str(text.trim());
        } else if let Some((name, of)) = line.strip_prefix("pub ").and_then(|field| field.split_once(": ")) {
            let about = std::mem::take(&mut about);
            found.push(Column { name: name.to_owned(), kind: kind(of.trim_end_matches(',')), about });
        }
    }
    found
}

/// The word for a type in Frictionless Table Schema.
fn kind(of: &str) -> &'static str {
    match of.strip_prefix("Option<").and_then(|inner| inner.strip_suffix('>')).unwrap_or(of) {
        "f64" | "Exact" => "number",
        "u8" | "u16" | "u32" | "u64" | "i64" | "usize" => "integer",
        "Date" => "date",
        "bool" => "boolean",
        _ => "string",
    }
}

/// The page to read.
pub(crate) fn page(tables: &[Vec<Column>]) -> String {
    let mut text = String::from(
        "# Data dictionary\n\nThe tables in `cohort/`, column by column, written by `cargo xtask dictionary` from the rows' \
         own documentation.\nA run writes the same as `cohort/datapackage.json` (Frictionless Data Package). Text is UTF-8, \
         decimal point, comma;\nan empty cell is missing, and a column beside it says why. Dates are `YYYY-MM-DD`. `.parquet` \
         files have the same\ncolumns, typed. SDTM (`tu`, `tr`, `rs`) and ADaM (`adrs`, `adtr`, `adtte`) follow CDISC; \
         `covariates.csv` has the\ncovariates of `patients.csv` and five of the program's own, at baseline: number of lesions, their largest \
         diameter,\nnumber of targets, `unifocal` or `multifocal` and their largest diameter.\n",
    );
    for ((name, _, row), columns) in TABLES.iter().zip(tables) {
        let _ = write!(text, "\n## {name}.csv\n\nOne row is {row}.\n\n| column | type | |\n|---|---|---|\n");
        for column in columns {
            let about = column.about.replace('|', "\\|");
            let _ = writeln!(text, "| `{}` | {} | {about} |", column.name, column.kind);
        }
    }
    text
}

/// The table that is built in: a line for each table, then one for each of its columns.
pub(crate) fn table(tables: &[Vec<Column>]) -> String {
    let cell = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let mut text = String::from("table,column,type,description\n");
    for ((name, _, row), columns) in TABLES.iter().zip(tables) {
        let _ = writeln!(text, "{name},,,{}", cell(&format!("One row is {row}.")));
        for column in columns {
            let _ = writeln!(text, "{name},{},{},{}", column.name, column.kind, cell(&column.about));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_read_as_it_is_documented() {
        let text = "/// A row.\npub struct LesionRow {\n    /// Which,\n    /// in two lines.\n    #[serde(default)]\n    \
                    pub id: String,\n    /// How long, mm.\n    pub length: Option<f64>,\n}\n";
        let columns = columns(body_of(text, "LesionRow").unwrap());
        let told: Vec<_> = columns.iter().map(|c| (c.name.as_str(), c.kind, c.about.as_str())).collect();
        assert_eq!(told, [("id", "string", "Which, in two lines."), ("length", "number", "How long, mm.")]);
        assert!(read([text].into_iter()).is_err(), "the other tables are missing");
    }
}
