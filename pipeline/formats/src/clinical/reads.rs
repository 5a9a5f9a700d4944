//! Readers' decisions as a table: `reads.csv`, the columns of `reads.json`.
//!
//! Source: the project's own table; see `oncology::reads` for what the words mean.

use oncology::reads::ReadRow;

/// The required columns.
const REQUIRED: [&str; 6] = ["patient_id", "lesion_id", "item", "value", "reader", "read_at"];
/// Columns that may be there.
const FURTHER: [&str; 9] =
    ["tracking_uid", "visit", "comment", "adjudicator", "old", "based_on", "source", "outcome", "reason"];

/// Reads the text of a `reads.csv`. `Err` names every line that is none, and what was expected there.
pub fn parse(text: &str) -> Result<Vec<ReadRow>, String> {
    let mut reader =
        csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.trim_start_matches('\u{feff}').as_bytes());
    let headers = reader.headers().map_err(|error| error.to_string())?.clone();
    let missing: Vec<&str> =
        REQUIRED.into_iter().filter(|name| !headers.iter().any(|header| header == *name)).collect();
    if !missing.is_empty() {
        return Err(format!("expected the columns {}, found none called {}", REQUIRED.join(", "), missing.join(", ")));
    }
    if let Some(unknown) = headers.iter().find(|name| !REQUIRED.contains(name) && !FURTHER.contains(name)) {
        return Err(format!(
            "column {unknown:?} is not known: expected {}, {}",
            REQUIRED.join(", "),
            FURTHER.join(", ")
        ));
    }
    let (mut rows, mut faults) = (Vec::new(), Vec::new());
    for (n, record) in reader.records().enumerate() {
        let line = n + 2;
        match record.map_err(|error| error.to_string()).and_then(|record| row(&headers, &record)) {
            Ok(row) => rows.push(row),
            Err(reason) => faults.push(format!("line {line}: {reason}")),
        }
    }
    if faults.is_empty() { Ok(rows) } else { Err(faults.join("; ")) }
}

fn row(headers: &csv::StringRecord, record: &csv::StringRecord) -> Result<ReadRow, String> {
    let cell = |name: &str| {
        let at = headers.iter().position(|header| header == name);
        at.and_then(|at| record.get(at)).unwrap_or_default().to_owned()
    };
    if let Some(name) = REQUIRED.into_iter().find(|name| cell(name).is_empty()) {
        return Err(format!("column {name}: expected a value, found nothing"));
    }
    let adjudicator = match cell("adjudicator").to_lowercase().as_str() {
        "" | "false" | "no" | "0" => false,
        "true" | "yes" | "1" => true,
        other => return Err(format!("column adjudicator: expected true or false, found {other:?}")),
    };
    Ok(ReadRow {
        patient_id: cell("patient_id"),
        lesion_id: cell("lesion_id"),
        tracking_uid: cell("tracking_uid"),
        visit: cell("visit"),
        item: cell("item"),
        value: cell("value"),
        reader: cell("reader"),
        read_at: cell("read_at"),
        comment: cell("comment"),
        adjudicator,
        based_on: cell("based_on"),
        ..ReadRow::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_by_hand_is_read_and_faults_are_named_by_line_and_column() {
        let text = "patient_id,lesion_id,item,value,reader,read_at,visit,adjudicator\nP 1,L2,role,non_target,\"Reader, A\",2024-03-04T09:30:00Z,,yes\n";
        let rows = parse(text).unwrap();
        assert_eq!((rows[0].reader.as_str(), rows[0].adjudicator, rows[0].visit.as_str()), ("Reader, A", true, ""));
        let said = parse("patient_id,lesion_id,item,value,reader,read_at,adjudicator\nP,L1,role,target,,x,\nP,L1,role,target,R,x,maybe\n").unwrap_err();
        assert!(said.contains("line 2: column reader") && said.contains("line 3: column adjudicator"), "{said}");
        assert!(parse("patient_id,lesion\n").unwrap_err().contains("lesion_id"));
        assert!(parse("patient_id,lesion_id,item,value,reader,read_at,rolle\n").unwrap_err().contains("rolle"));
    }
}
