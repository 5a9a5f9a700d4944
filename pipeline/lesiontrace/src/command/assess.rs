//! `assess`: SDTM tumour tables in, responses out, without images.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context as _;
use formats::tables::{cells_to_csv, to_csv_by_field};
use oncology::Evaluable;
use oncology::adam::{AdrsRow, AdtrRow, adrs_rows, adtr_rows};
use oncology::adjudication::reader_agreement;
use oncology::criteria::CriterionTable;
use oncology::sdtm::{
    Markers, RowError, SdtmAssessment, TrRow, TuRow, accepted_only, assess_sdtm_with, marker_row, rs_rows,
};

use crate::cli::Assess;
use crate::command::criterion;
use crate::exit::{self, Failure};
use crate::out;

const RS_COLUMNS: [&str; 16] = [
    "STUDYID", "DOMAIN", "USUBJID", "RSSEQ", "RSTESTCD", "RSTEST", "RSORRES", "RSSTRESC", "RSEVAL", "RSEVALID",
    "VISITNUM", "VISIT", "RSDTC", "RSCAT", "RSLNKGRP", "RSACPTFL",
];

/// Reads TU and TR, assesses, writes RS.
pub(crate) fn run(args: &Assess) -> Result<u8, Failure> {
    let mut table = criterion::table(&args.criterion)?;
    for option in &args.option {
        let (name, word) = option
            .split_once('=')
            .ok_or_else(|| Failure::usage(anyhow::anyhow!("--option: expected NAME=WORD, found {option:?}")))?;
        table = table.with_option(name, word).map_err(Failure::usage)?;
    }
    let tu = Columns::read(&args.tu).map_err(Failure::io)?;
    let tr = Columns::read(&args.tr).map_err(Failure::io)?;
    let tu_rows = tu.rows(|column| TuRow::from_columns(column)).map_err(Failure::bad_input)?;
    let tr_rows = tr.rows(|column| TrRow::from_columns(column)).map_err(Failure::bad_input)?;
    let markers = args.lb.as_deref().map(read_markers).transpose()?.unwrap_or_default();
    let all = assess_sdtm_with(&tu_rows, &tr_rows, &markers, &table);
    let accepted = args.accepted_only.then(|| accepted_only(&all)).transpose().map_err(Failure::bad_input)?;
    let assessments = accepted.as_ref().unwrap_or(&all);
    let trials = tu.trials();
    if let Some(path) = &args.out {
        let bytes = rs_table(assessments, &table, &trials).map_err(Failure::internal)?;
        out::write_atomic(path, &bytes).map_err(Failure::io)?;
    }
    let trial_of = |subject: &String| trials.get(subject).cloned().unwrap_or_default();
    if let Some(path) = &args.adrs {
        let of_trial = |row: AdrsRow| AdrsRow { studyid: trial_of(&row.usubjid), ..row };
        let rows: Vec<AdrsRow> = adrs_rows(assessments, &table).into_iter().map(of_trial).collect();
        out::write_atomic(path, &to_csv_by_field(&rows).map_err(Failure::internal)?).map_err(Failure::io)?;
    }
    if let Some(path) = &args.adtr {
        let of_trial = |row: AdtrRow| AdtrRow { studyid: trial_of(&row.usubjid), ..row };
        let rows: Vec<AdtrRow> = adtr_rows(assessments).into_iter().map(of_trial).collect();
        out::write_atomic(path, &to_csv_by_field(&rows).map_err(Failure::internal)?).map_err(Failure::io)?;
    }
    if let Some(path) = &args.agreement {
        let document = reader_agreement(&all, &tu_rows, &args.readers);
        let bytes = serde_json::to_vec_pretty(&document).map_err(Failure::internal)?;
        out::write_atomic(path, &bytes).map_err(Failure::io)?;
    }
    if args.json {
        out::print_json(assessments).map_err(Failure::io)?;
    } else {
        out::print(&as_text(assessments)).map_err(Failure::io)?;
    }
    Ok(exit::DONE)
}

/// Tumour markers of LB, by subject.
fn read_markers(path: &Path) -> Result<Markers, Failure> {
    let lb = Columns::read(path).map_err(Failure::io)?;
    let mut markers = Markers::new();
    for (subject, reading) in lb.rows(|column| marker_row(column)).map_err(Failure::bad_input)?.into_iter().flatten() {
        markers.entry(subject).or_default().push(reading);
    }
    Ok(markers)
}

/// A table by column name.
struct Columns {
    path: String,
    positions: HashMap<String, usize>,
    records: Vec<csv::StringRecord>,
}

impl Columns {
    fn read(path: &Path) -> anyhow::Result<Self> {
        let name = path.display().to_string();
        let file = std::fs::File::open(path).with_context(|| format!("opening {name}"))?;
        let mut reader = csv::Reader::from_reader(file);
        let header = reader.headers().with_context(|| format!("{name} is not a CSV table"))?.clone();
        let positions = header
            .iter()
            .enumerate()
            .map(|(at, column)| (column.trim_start_matches('\u{feff}').trim().to_uppercase(), at))
            .collect();
        let records =
            reader.records().collect::<Result<_, _>>().with_context(|| format!("{name} is not a CSV table"))?;
        Ok(Self { path: name, positions, records })
    }

    fn get<'a>(&'a self, record: &'a csv::StringRecord, column: &str) -> Option<&'a str> {
        self.positions.get(column).and_then(|at| record.get(*at))
    }

    fn rows<'a, T>(
        &'a self,
        read: impl Fn(&dyn Fn(&str) -> Option<&'a str>) -> Result<T, RowError>,
    ) -> anyhow::Result<Vec<T>> {
        let row = |(at, record): (usize, &'a csv::StringRecord)| {
            read(&|column| self.get(record, column)).with_context(|| format!("{} line {}", self.path, at + 2))
        };
        self.records.iter().enumerate().map(row).collect()
    }

    /// STUDYID by subject, where the table states it.
    fn trials(&self) -> BTreeMap<String, String> {
        let pair = |record| {
            let subject = self.get(record, "USUBJID")?.trim().to_owned();
            Some((subject, self.get(record, "STUDYID")?.trim().to_owned()))
        };
        self.records.iter().filter_map(pair).collect()
    }
}

fn rs_table(
    assessments: &[SdtmAssessment],
    table: &CriterionTable,
    trials: &BTreeMap<String, String>,
) -> anyhow::Result<Vec<u8>> {
    let mut sequence: BTreeMap<String, usize> = BTreeMap::new();
    let rows = rs_rows(assessments, table).into_iter().map(|row| {
        let number = sequence.entry(row.subject.clone()).or_default();
        *number += 1;
        let trial = trials.get(&row.subject).cloned().unwrap_or_default();
        [
            trial,
            "RS".to_owned(),
            row.subject,
            number.to_string(),
            row.test.to_owned(),
            row.test_name.to_owned(),
            row.result.clone(),
            row.result,
            row.evaluator,
            row.evaluator_id,
            row.visit_num.map(|number| number.to_string()).unwrap_or_default(),
            row.visit,
            row.date,
            row.category,
            row.link_group,
            row.accepted,
        ]
    });
    Ok(cells_to_csv(&RS_COLUMNS, rows)?)
}

fn as_text(assessments: &[SdtmAssessment]) -> String {
    let mut text = String::new();
    for one in assessments {
        let sum = match &one.sum_mm {
            Evaluable::Value(mm) => format!("{mm:.1} mm"),
            Evaluable::NotEvaluable(reason) => format!("not evaluable ({reason})"),
        };
        let reader = [one.evaluator.as_str(), &one.evaluator_id].join(" ");
        let _ = writeln!(
            text,
            "{} {} [{}] {}: sum {sum}; target {}, non-target {}, new lesion {} → {}",
            one.subject,
            one.visit,
            reader.trim(),
            one.date,
            one.target,
            one.non_target,
            one.new_lesion,
            one.overall
        );
        for note in &one.notes {
            let _ = writeln!(text, "    note: {note}");
        }
    }
    text
}
