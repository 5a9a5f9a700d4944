//! The description of a cohort's tables that goes with them: `cohort/datapackage.json`, a Frictionless Data Package with the type and
//! the meaning of every column, and the digest of every file.
//!
//! Source: Frictionless Data, Data Package and Table Schema 1.0 (specs.frictionlessdata.io).

use std::collections::BTreeMap;

use anyhow::Context as _;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::out;

/// Every table with its columns, as the rows document them (`cargo xtask dictionary`).
const COLUMNS: &str = include_str!("../../../configs/tables/columns.csv");

/// A table that was written.
pub(crate) struct Resource {
    name: String,
    bytes: usize,
    sha256: String,
}

impl Resource {
    /// The CSV of a table.
    pub(crate) fn of(name: &str, csv: &[u8]) -> Self {
        Self { name: name.to_owned(), bytes: csv.len(), sha256: out::sha256_hex(csv) }
    }
}

/// One line of the built-in table; a line without a column is of the table itself.
#[derive(Deserialize)]
struct Line {
    table: String,
    column: String,
    #[serde(rename = "type")]
    kind: String,
    description: String,
}

/// The built-in table, line by line.
fn lines() -> anyhow::Result<Vec<Line>> {
    let lines = csv::Reader::from_reader(COLUMNS.as_bytes()).into_deserialize().collect::<Result<_, _>>();
    lines.context("the built-in table of columns")
}

/// The columns of a table with what they mean.
pub(crate) fn descriptions(table: &str) -> anyhow::Result<Vec<(String, String)>> {
    let of_table = lines()?.into_iter().filter(|line| line.table == table && !line.column.is_empty());
    Ok(of_table.map(|line| (line.column, line.description)).collect())
}

/// The package of the tables written, in their order; those that are not described are left out.
pub(crate) fn package(cohort: &str, resources: &[Resource]) -> anyhow::Result<Value> {
    let mut tables: BTreeMap<String, Vec<Line>> = BTreeMap::new();
    for line in lines()? {
        tables.entry(line.table.clone()).or_default().push(line);
    }
    let described = resources.iter().filter_map(|one| Some(resource(one, tables.get(&one.name)?)));
    Ok(json!({
        "profile": "tabular-data-package",
        "name": "lesiontrace-cohort",
        "title": cohort,
        "description": report::RESEARCH_USE_NOTICE,
        "resources": described.collect::<Vec<Value>>(),
    }))
}

fn resource(one: &Resource, lines: &[Line]) -> Value {
    let (of_table, columns): (Vec<&Line>, Vec<&Line>) = lines.iter().partition(|line| line.column.is_empty());
    let about = of_table.first().map_or("", |line| line.description.as_str());
    let field = |line: &&Line| {
        let mut field = json!({ "name": line.column, "type": line.kind, "description": line.description });
        if line.kind == "boolean" {
            field["trueValues"] = json!(["true"]);
            field["falseValues"] = json!(["false"]);
        }
        field
    };
    json!({
        "profile": "tabular-data-resource",
        "name": one.name,
        "path": format!("{}.csv", one.name),
        "description": about,
        "format": "csv",
        "mediatype": "text/csv",
        "encoding": "utf-8",
        "bytes": one.bytes,
        "hash": format!("sha256:{}", one.sha256),
        "schema": { "fields": columns.iter().map(field).collect::<Vec<Value>>(), "missingValues": [""] },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_described_column_by_column_and_an_unknown_one_left_out() {
        let made = package("trial", &[Resource::of("lesions", b"x"), Resource::of("print_table", b"y")]).unwrap();
        let resources = made["resources"].as_array().unwrap();
        assert_eq!((resources.len(), &resources[0]["path"]), (1, &json!("lesions.csv")));
        let fields = resources[0]["schema"]["fields"].as_array().unwrap();
        let names: Vec<&str> = fields.iter().map(|field| field["name"].as_str().unwrap()).collect();
        assert_eq!(names, formats::tables::headers::LESIONS);
        assert!(fields.iter().all(|field| !field["description"].as_str().unwrap().is_empty()));
    }
}
