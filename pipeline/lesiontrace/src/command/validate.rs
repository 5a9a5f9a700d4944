//! `validate`: how the results of a run agree with a reader's own table of the same patients.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, bail};
use formats::tables::{cells_to_csv, read_csv};
use oncology::agreement::Kappa;
use oncology::validation::{Read, Reading, ResponseAgreement, SizeAgreement, Validation, validate};
use oncology::{AssessmentRow, Evaluable, MeasurementRow, VisitId};

use crate::cli::Validate;
use crate::exit::{self, Failure};
use crate::out;

const PAIR_COLUMNS: [&str; 9] =
    ["reader", "patient_id", "visit", "lesion_id", "quantity", "unit", "reader_value", "program_value", "difference"];

/// Reads both sides, compares, prints.
pub(crate) fn run(args: &Validate) -> Result<u8, Failure> {
    let table = |name: &str| args.out.join("cohort").join(name);
    let assessments: Vec<AssessmentRow> = read_csv(&table("assessments.csv")).map_err(no_run)?;
    let measurements: Vec<MeasurementRow> = read_csv(&table("measurements.csv")).map_err(no_run)?;
    let readings = readings(&args.reads, &args.criterion).map_err(Failure::bad_input)?;
    let found = validate(&assessments, &measurements, &readings);
    if let Some(path) = &args.pairs {
        let bytes = cells_to_csv(&PAIR_COLUMNS, pair_rows(&found)).map_err(Failure::internal)?;
        out::write_atomic(path, &bytes).map_err(Failure::io)?;
    }
    if args.json {
        out::print_json(&found).map_err(Failure::io)?;
    } else {
        out::print(&as_text(&found)).map_err(Failure::io)?;
    }
    Ok(exit::DONE)
}

fn no_run(error: impl Into<anyhow::Error>) -> Failure {
    Failure::io(
        error.into().context("expected the output folder of a run with its cohort tables (`lesiontrace collect OUT`)"),
    )
}

/// The rows of the reader's table.
fn readings(path: &Path, criterion: &str) -> anyhow::Result<Vec<Reading>> {
    let name = path.display();
    let file = std::fs::File::open(path).with_context(|| format!("cannot read {name}"))?;
    let mut table = csv::Reader::from_reader(file);
    let header = table.headers().with_context(|| format!("{name} is no table"))?.clone();
    let columns: BTreeMap<String, usize> = header
        .iter()
        .enumerate()
        .map(|(at, column)| (column.trim_start_matches('\u{feff}').trim().to_lowercase(), at))
        .collect();
    let has = |column: &str| columns.contains_key(column);
    let says = has("overall") || has("sum_mm") || (has("lesion_id") && has("quantity") && has("value"));
    if !has("patient_id") || !(has("date") || has("visit")) || !says {
        bail!(
            "{name}: expected the columns patient_id, date (or visit), and overall or sum_mm, or lesion_id, quantity and value; found {}",
            header.iter().collect::<Vec<_>>().join(", ")
        );
    }
    let mut readings = Vec::new();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for (line, record) in (2_usize..).zip(table.records()) {
        let record = record.with_context(|| format!("{name} is no table"))?;
        let cell = |column: &str| columns.get(column).and_then(|at| record.get(*at)).unwrap_or_default().trim();
        let reading = reading(line, &cell, criterion).with_context(|| format!("{name} line {line}"))?;
        if let Some(first) = seen.insert(key(&reading), line) {
            bail!(
                "{name} lines {first} and {line} say the same thing twice: keep one, or name the readers in a column reader"
            );
        }
        readings.push(reading);
    }
    Ok(readings)
}

/// What a row is about.
fn key(reading: &Reading) -> String {
    let about = match &reading.read {
        Read::Response { criterion, .. } => criterion.clone(),
        Read::Size { lesion_id, quantity, .. } => format!("{lesion_id}\n{quantity}"),
    };
    format!("{}\n{}\n{}\n{about}", reading.reader, reading.patient_id, reading.visit)
}

fn reading<'a>(line: usize, cell: &impl Fn(&str) -> &'a str, criterion: &str) -> anyhow::Result<Reading> {
    let owned = |column: &str| cell(column).to_owned();
    let number = |column: &str| -> anyhow::Result<Option<f64>> {
        match cell(column) {
            "" => Ok(None),
            text => match text.parse::<f64>() {
                Ok(value) if value.is_finite() => Ok(Some(value)),
                _ => bail!("expected a number in {column}, found {text:?}"),
            },
        }
    };
    let visit: VisitId = if cell("visit").is_empty() { cell("date").parse()? } else { cell("visit").parse()? };
    let read = if cell("quantity").is_empty() {
        let (overall, sum_mm) = (owned("overall"), number("sum_mm")?);
        if overall.is_empty() && sum_mm.is_none() {
            bail!("expected overall, sum_mm, or quantity and value; all are empty");
        }
        let criterion = if cell("criterion").is_empty() { criterion.to_owned() } else { owned("criterion") };
        Read::Response {
            criterion,
            overall,
            parts: [owned("target"), owned("non_target"), owned("new_lesion")],
            sum_mm,
        }
    } else {
        let Some(value) = number("value")? else {
            bail!("expected a number in value beside the quantity; it is empty")
        };
        Read::Size { lesion_id: owned("lesion_id"), quantity: owned("quantity"), value, unit: owned("unit") }
    };
    Ok(Reading { line, reader: owned("reader"), patient_id: owned("patient_id"), visit, read })
}

/// Every pair of sizes.
fn pair_rows(found: &Validation) -> Vec<[String; 9]> {
    let mut rows = Vec::new();
    for (reader, by_quantity) in &found.sizes {
        for (quantity, agreement) in by_quantity {
            rows.extend(agreement.pairs.iter().map(|pair| {
                [
                    reader.clone(),
                    pair.patient_id.clone(),
                    pair.visit.to_string(),
                    pair.lesion_id.clone(),
                    quantity.clone(),
                    agreement.unit.clone(),
                    pair.reader.to_string(),
                    pair.program.to_string(),
                    format!("{:.4}", pair.program - pair.reader),
                ]
            }));
        }
    }
    rows
}

fn as_text(found: &Validation) -> String {
    let mut text = String::new();
    for (reader, by_criterion) in &found.responses {
        for (criterion, agreement) in by_criterion {
            let _ = writeln!(text, "{}{criterion}: {}", named(reader), response_text(agreement));
        }
    }
    for (reader, by_quantity) in &found.sizes {
        for (quantity, agreement) in by_quantity {
            let _ = writeln!(text, "{}{quantity}: {}", named(reader), size_text(agreement));
        }
    }
    for one in &found.unmatched {
        let _ = writeln!(text, "line {}: not compared: {}", one.line, one.reason);
    }
    if text.is_empty() { "the reader's table has no rows\n".to_owned() } else { text }
}

fn named(reader: &str) -> String {
    if reader.is_empty() { String::new() } else { format!("{reader}, ") }
}

fn response_text(agreement: &ResponseAgreement) -> String {
    let kappa = |name: &str, value: &Option<Evaluable<Kappa>>| match value {
        Some(Evaluable::Value(k)) => format!("{name} {:.2} (95 % {:.2} to {:.2})", k.kappa, k.lower, k.upper),
        Some(Evaluable::NotEvaluable(reason)) => format!("{name} not evaluable ({reason})"),
        None => format!("{name} not evaluable (no visit was judged by both)"),
    };
    let missing = agreement.not_evaluable;
    let mut text = format!(
        "{} visits judged by both; {}; {}; not evaluable: both {}, the reader alone {}, the program alone {}",
        agreement.n,
        kappa("kappa", &agreement.kappa),
        kappa("weighted kappa", &agreement.weighted_kappa),
        missing.both,
        missing.reader,
        missing.program
    );
    for one in &agreement.discordances {
        let _ = write!(
            text,
            "\n  {} {}: reader {}, program {}; {}",
            one.patient_id, one.visit, one.reader, one.program, one.why
        );
        if one.within_error == Some(true) {
            text.push_str("; the program's sum is within its error of the next class");
        }
    }
    text
}

fn size_text(agreement: &SizeAgreement) -> String {
    let unit = &agreement.unit;
    match &agreement.bland_altman {
        Evaluable::Value(found) => format!(
            "{} pairs; program minus reader {:+.2} {unit}, limits of agreement {:+.2} to {:+.2} {unit}",
            found.n, found.bias, found.lower, found.upper
        ),
        Evaluable::NotEvaluable(reason) => format!("{} pairs; {reason}", agreement.pairs.len()),
    }
}
