//! Each table of the cohort in three forms: CSV, Parquet, and a sheet of the workbook `cohort/tables.xlsx`.

use std::path::Path;

use anyhow::Context as _;
use formats::parquet_table::{columns, to_parquet};
use formats::tables::{cells_to_csv, to_csv};
use formats::workbook::{MOST_ROWS, Workbook};
use report::StudyTable;
use serde::Serialize;

use crate::datapackage::{self, Resource};
use crate::out;

/// Where the tables of a cohort go.
pub(crate) struct CohortTables<'a> {
    folder: &'a Path,
    cohort: &'a str,
    workbook: Workbook,
    resources: Vec<Resource>,
}

impl<'a> CohortTables<'a> {
    /// Tables of the run in `folder`; printed ones come first in the workbook.
    pub(crate) fn new(folder: &'a Path, cohort: &'a str, printed: &[StudyTable]) -> anyhow::Result<Self> {
        let mut workbook = Workbook::new(&format!("{cohort}. {}", report::RESEARCH_USE_NOTICE));
        for table in printed {
            let name = format!("print_table_{}", table.id);
            workbook.add_printed(&name, &table.title, &table.columns, table.cells(), &table.notes)?;
        }
        Ok(Self { folder, cohort, workbook, resources: Vec::new() })
    }

    /// Writes `cohort/NAME.csv` and `.parquet` and adds the sheet; `about` says what one row is.
    pub(crate) fn write<T: Serialize + Sync>(
        &mut self,
        name: &str,
        about: &str,
        names: &[&'static str],
        rows: &[T],
    ) -> anyhow::Result<()> {
        let columns = columns(name, names);
        let cohort = self.folder.join("cohort");
        let (csv, parquet) = rayon::join(
            || {
                let csv = to_csv(names, rows).with_context(|| format!("making {name}.csv"))?;
                out::write_atomic(&cohort.join(format!("{name}.csv")), &csv)?;
                anyhow::Ok(Resource::of(name, &csv))
            },
            || {
                let parquet = to_parquet(&columns, rows).with_context(|| format!("making {name}.parquet"))?;
                out::write_atomic(&cohort.join(format!("{name}.parquet")), &parquet)
            },
        );
        parquet?;
        self.resources.push(csv?);
        let elsewhere = format!("{name}.csv or {name}.parquet");
        self.workbook.add_rows(name, about, &elsewhere, &columns, rows).context("making tables.xlsx")
    }

    /// Describes a table that was written elsewhere, in the same folder.
    pub(crate) fn describe(&mut self, name: &str, csv: &[u8]) {
        self.resources.push(Resource::of(name, csv));
    }

    /// Writes a table of texts whose columns are the cohort's own: CSV and sheet.
    pub(crate) fn write_texts(
        &mut self,
        name: &str,
        about: &str,
        (names, rows): &(Vec<String>, Vec<Vec<String>>),
    ) -> anyhow::Result<()> {
        let heads: Vec<&str> = names.iter().map(String::as_str).collect();
        let csv = cells_to_csv(&heads, rows).with_context(|| format!("making {name}.csv"))?;
        out::write_atomic(&self.folder.join(format!("cohort/{name}.csv")), &csv)?;
        let shown = rows.iter().take(MOST_ROWS).cloned();
        let cut = format!("{} rows in all: see {name}.csv", rows.len());
        let notes = if rows.len() > MOST_ROWS { &[cut][..] } else { &[] };
        self.workbook.add_printed(name, about, names, shown, notes).context("making tables.xlsx")
    }

    /// Writes the description of the tables and the workbook.
    pub(crate) fn finish(self) -> anyhow::Result<()> {
        let package = datapackage::package(self.cohort, &self.resources)?;
        out::write_json(&self.folder.join("cohort/datapackage.json"), &package)?;
        let bytes = self.workbook.bytes().context("making tables.xlsx")?;
        out::write_atomic(&self.folder.join("cohort/tables.xlsx"), &bytes)
    }
}
