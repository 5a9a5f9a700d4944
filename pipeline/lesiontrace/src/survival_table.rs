//! A table of times and events, columns by name, as records for the estimators.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use anyhow::Context as _;
use survival::Record;

/// What may stand where nothing is known.
const MISSING: [&str; 5] = ["", "NA", "NaN", "nan", "."];

/// Which column means what. `event` and covariates may be written COLUMN=VALUE: 1 where the column holds the value, else 0.
pub(crate) struct Columns<'a> {
    /// Time from the origin.
    pub(crate) time: &'a str,
    /// 0 censored, 1 event.
    pub(crate) event: &'a str,
    /// 0 censored, 1 event of interest, 2… competing.
    pub(crate) state: Option<&'a str>,
    /// Groups compared.
    pub(crate) group: Option<&'a str>,
    /// Terms of the regression models.
    pub(crate) covariates: &'a [String],
    /// Rows that belong together.
    pub(crate) cluster: Option<&'a str>,
    /// Rows with a baseline hazard of their own.
    pub(crate) strata: Option<&'a str>,
    /// Last time without the event.
    pub(crate) interval_low: Option<&'a str>,
    /// When membership of the group was decided.
    pub(crate) group_known: Option<&'a str>,
}

/// The rows that can be used, and what was left out.
#[derive(Debug)]
pub(crate) struct Table {
    /// The rows.
    pub(crate) records: Vec<Record>,
    /// Rows left out, by column.
    pub(crate) cautions: Vec<String>,
    /// What each COLUMN=VALUE covariate is compared with: the other values of its column that no covariate names.
    pub(crate) references: BTreeMap<String, Vec<String>>,
}

/// Reads a table. Rows without time, event, state, group or stratum are left out and counted; anything that is no number is
/// an error.
pub(crate) fn read(path: &Path, columns: &Columns<'_>) -> anyhow::Result<Table> {
    let name = path.display();
    let file = std::fs::File::open(path).with_context(|| format!("opening {name}"))?;
    let mut reader = csv::Reader::from_reader(file);
    let header = reader.headers().with_context(|| format!("{name} is not a CSV table"))?.clone();
    let cells = Cells::new(&header, columns).with_context(|| format!("{name}"))?;
    let mut numbers = Numbers::default();
    let mut left_out: BTreeMap<&str, usize> = BTreeMap::new();
    let mut values: Vec<BTreeSet<String>> = vec![BTreeSet::new(); cells.covariates.len()];
    let mut records = Vec::new();
    let mut row = csv::StringRecord::new();
    let mut line = 1;
    while reader.read_record(&mut row).with_context(|| format!("{name} after line {line}"))? {
        line += 1;
        match cells.record(&row, &mut numbers).with_context(|| format!("{name} line {line}"))? {
            Ok(record) => {
                cells.add_values(&row, &mut values);
                records.push(record);
            }
            Err(missing) => *left_out.entry(missing).or_default() += 1,
        }
    }
    let caution = |(column, n): (&str, usize)| format!("{n} rows are left out because {column} is missing");
    let references = cells.references(&values);
    Ok(Table { records, cautions: left_out.into_iter().map(caution).collect(), references })
}

/// Numbers given to the names of clusters and strata, in the order of their first row.
#[derive(Default)]
struct Numbers {
    clusters: HashMap<String, usize>,
    strata: HashMap<String, usize>,
}

fn number_of(numbers: &mut HashMap<String, usize>, name: &str) -> usize {
    let next = numbers.len();
    if let Some(&number) = numbers.get(name) {
        return number;
    }
    numbers.insert(name.to_owned(), next);
    next
}

/// A column, or the question whether a column holds a value.
struct Cell {
    name: String,
    at: usize,
    value: Option<String>,
}

impl Cell {
    fn find(header: &csv::StringRecord, name: &str) -> anyhow::Result<Self> {
        let plain = |column: &str| column.trim_start_matches('\u{feff}').trim().to_owned();
        let position = |wanted: &str| header.iter().position(|column| plain(column) == wanted);
        if let Some(at) = position(name) {
            return Ok(Self { name: name.to_owned(), at, value: None });
        }
        if let Some((column, value)) = name.split_once('=')
            && let Some(at) = position(column)
        {
            return Ok(Self { name: name.to_owned(), at, value: Some(value.to_owned()) });
        }
        let known: Vec<String> = header.iter().map(plain).collect();
        anyhow::bail!("expected a column {name:?}, found the columns {}", known.join(", "))
    }

    fn text<'r>(&self, row: &'r csv::StringRecord) -> Option<&'r str> {
        row.get(self.at).map(str::trim).filter(|text| !MISSING.contains(text))
    }

    /// The number in a row; `None` where the cell is empty or NA.
    fn number(&self, row: &csv::StringRecord) -> anyhow::Result<Option<f64>> {
        let Some(text) = self.text(row) else { return Ok(None) };
        if let Some(value) = &self.value {
            return Ok(Some(f64::from(u8::from(text == value))));
        }
        let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
        let advice = "write COLUMN=VALUE to turn words into 0 and 1";
        number.map(Some).with_context(|| format!("expected a number in {}, found {text:?}; {advice}", self.name))
    }

    /// The whole number in a row, 0 to `largest`.
    fn whole(&self, row: &csv::StringRecord, largest: u32) -> anyhow::Result<Option<u32>> {
        let Some(number) = self.number(row)? else { return Ok(None) };
        let whole = (0..=largest).find(|whole| f64::from(*whole) == number);
        let expected = if largest == 1 { "0 or 1 (or write COLUMN=VALUE)" } else { "a whole number from 0" };
        whole.map(Some).with_context(|| format!("expected {expected} in {}, found {number}", self.name))
    }
}

/// All columns asked for.
struct Cells {
    time: Cell,
    event: Cell,
    state: Option<Cell>,
    group: Option<Cell>,
    covariates: Vec<Cell>,
    cluster: Option<Cell>,
    strata: Option<Cell>,
    interval_low: Option<Cell>,
    group_known: Option<Cell>,
}

impl Cells {
    fn new(header: &csv::StringRecord, columns: &Columns<'_>) -> anyhow::Result<Self> {
        let find = |name: &str| Cell::find(header, name);
        Ok(Self {
            time: find(columns.time)?,
            event: find(columns.event)?,
            state: columns.state.map(find).transpose()?,
            group: columns.group.map(find).transpose()?,
            covariates: columns.covariates.iter().map(|name| find(name)).collect::<anyhow::Result<_>>()?,
            cluster: columns.cluster.map(find).transpose()?,
            strata: columns.strata.map(find).transpose()?,
            interval_low: columns.interval_low.map(find).transpose()?,
            group_known: columns.group_known.map(find).transpose()?,
        })
    }

    /// A record, or the name of the column whose absence leaves the row out.
    fn record(&self, row: &csv::StringRecord, numbers: &mut Numbers) -> anyhow::Result<Result<Record, &str>> {
        let Some(time) = self.time.number(row)? else { return Ok(Err(&self.time.name)) };
        let Some(event) = self.event.whole(row, 1)? else { return Ok(Err(&self.event.name)) };
        let state = self.state.as_ref().map(|cell| cell.whole(row, MAX_STATE)).transpose()?;
        if let (Some(None), Some(cell)) = (state, &self.state) {
            return Ok(Err(&cell.name));
        }
        for cell in [&self.group, &self.strata].into_iter().flatten() {
            if cell.text(row).is_none() {
                return Ok(Err(&cell.name));
            }
        }
        let text = |cell: &Option<Cell>| cell.as_ref().and_then(|cell| cell.text(row));
        let time_of = |cell: &Option<Cell>| cell.as_ref().map_or(Ok(None), |cell| cell.number(row));
        let interval_low = time_of(&self.interval_low)?;
        if let Some(low) = interval_low.filter(|low| event == 1 && !(0.0..time).contains(low)) {
            anyhow::bail!("expected a last time without the event from 0 and before {time}, found {low}");
        }
        let cluster = self.cluster.as_ref().map(|cell| {
            let text = cell.text(row).with_context(|| format!("expected a value in {}, found none", cell.name))?;
            anyhow::Ok(number_of(&mut numbers.clusters, text))
        });
        Ok(Ok(Record {
            time,
            event: event == 1,
            state: state.flatten(),
            group: text(&self.group).map(str::to_owned),
            group_known: time_of(&self.group_known)?,
            interval_low: interval_low.filter(|_| event == 1),
            covariates: self.covariates.iter().map(|cell| cell.number(row)).collect::<anyhow::Result<_>>()?,
            cluster: cluster.transpose()?,
            stratum: text(&self.strata).map(|name| number_of(&mut numbers.strata, name)),
        }))
    }

    /// Remembers what stands in the columns of COLUMN=VALUE covariates.
    fn add_values(&self, row: &csv::StringRecord, values: &mut [BTreeSet<String>]) {
        for (cell, values) in self.covariates.iter().zip(values).filter(|(cell, _)| cell.value.is_some()) {
            if let Some(text) = cell.text(row).filter(|text| !values.contains(*text)) {
                values.insert(text.to_owned());
            }
        }
    }

    fn references(&self, values: &[BTreeSet<String>]) -> BTreeMap<String, Vec<String>> {
        let coded = || self.covariates.iter().zip(values).filter(|(cell, _)| cell.value.is_some());
        let named =
            |at: usize, text: &str| coded().any(|(other, _)| other.at == at && other.value.as_deref() == Some(text));
        coded()
            .map(|(cell, values)| {
                let rest = values.iter().filter(|text| !named(cell.at, text)).cloned();
                (cell.name.clone(), rest.collect())
            })
            .collect()
    }
}

/// Largest number of a competing state: far above any list of causes.
const MAX_STATE: u32 = 99;

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str, covariates: &[&str]) -> anyhow::Result<Table> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.csv");
        std::fs::write(&path, text).unwrap();
        let covariates: Vec<String> = covariates.iter().map(|c| (*c).to_owned()).collect();
        let columns = Columns {
            time: "t",
            event: "status=2",
            state: None,
            group: Some("g"),
            covariates: &covariates,
            cluster: None,
            strata: None,
            interval_low: Some("low").filter(|_| text.contains("low")),
            group_known: None,
        };
        read(&path, &columns)
    }

    #[test]
    fn a_value_makes_an_event_and_a_missing_group_leaves_a_row_out() {
        let found = table("t,status,g,sex\n1,2,a,f\n2,1,b,m\n3,2,NA,m\n", &["sex=m"]).unwrap();
        assert_eq!(found.records.len(), 2);
        assert!(found.records[0].event && !found.records[1].event);
        assert_eq!(found.records[1].covariates, [Some(1.0)]);
        assert_eq!(found.references["sex=m"], ["f"]);
        assert_eq!(found.cautions, ["1 rows are left out because g is missing"]);
    }

    #[test]
    fn a_word_where_a_number_should_be_is_an_error_with_line_and_column() {
        let error = format!("{:#}", table("t,status,g,sex\n1,2,a,f\n", &["sex"]).unwrap_err());
        assert!(error.contains("line 2") && error.contains("sex") && error.contains("\"f\""), "{error}");
        let error = format!("{:#}", table("time,status,g\n1,2,a\n", &[]).unwrap_err());
        assert!(error.contains("\"t\"") && error.contains("time, status, g"), "{error}");
    }

    #[test]
    fn a_last_negative_visit_belongs_to_an_event_and_lies_before_it() {
        let found = table("t,status,g,low\n9,2,a,6\n9,1,a,6\n9,2,a,NA\n", &[]).unwrap();
        let low: Vec<_> = found.records.iter().map(|record| record.interval_low).collect();
        assert_eq!(low, [Some(6.0), None, None]);
        let error = format!("{:#}", table("t,status,g,low\n9,2,a,9\n", &[]).unwrap_err());
        assert!(error.contains("line 2") && error.contains("before 9, found 9"), "{error}");
    }
}
