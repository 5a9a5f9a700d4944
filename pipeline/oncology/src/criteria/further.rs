//! Criteria beside the leading ones on a patient's own measurements: volume (vRECIST), enhancing volume (qEASL), FDG uptake (EORTC).
//! Targets and new lesions are those of the leading criterion.
//!
//! Source: Chapiro et al. 2014 (vRECIST, qEASL); Young et al. 1999 (EORTC).

use super::eortc::{EortcInput, EortcTable, eortc};
use super::extent::{Extent, ExtentQuantity, ExtentTable, NewEnhancement, extent_response};
use super::percist::Finding;
use crate::cohort::{AssessmentRow, MeasurementRow};
use crate::exact::Exact;
use crate::time::Date;
use crate::visit_id::VisitId;

/// One of them, read and checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Further {
    /// By a sum over the targets.
    Extent(ExtentTable),
    /// By the hottest lesion.
    Eortc(EortcTable),
}

impl Further {
    /// A built-in one by its identifier; `Err` says why it cannot be had from a run's measurements.
    pub fn built_in(id: &str) -> Result<Self, String> {
        let unread = |error: super::table::TableError| error.to_string();
        match id {
            "vrecist" | "qeasl" => ExtentTable::built_in(id).map(Self::Extent).map_err(unread),
            "eortc_1999" => EortcTable::built_in(id).map(Self::Eortc).map_err(unread),
            "easl" => Err("a run measures the length and the volume of enhancing tissue, not its cross-product; \
                           qeasl goes by the volume"
                .to_owned()),
            "percist_1_0" => {
                Err("a run measures no SULpeak and no liver reference; `lesiontrace measure` does".to_owned())
            }
            "deauville" | "lirads_tr" | "narayanan2024_response" => {
                Err(format!("{id} is coded by a reader: see reads.csv, and cohort/readings.csv"))
            }
            _ => Err(format!("expected vrecist, qeasl or eortc_1999, found {id:?}")),
        }
    }

    /// Its identifier.
    pub fn id(&self) -> &str {
        match self {
            Self::Extent(table) => &table.id,
            Self::Eortc(table) => &table.id,
        }
    }

    /// Its version and text, for the record.
    pub fn version_and_text(&self) -> (u32, &str) {
        match self {
            Self::Extent(table) => (table.version, table.text()),
            Self::Eortc(table) => (table.version, table.text()),
        }
    }
}

/// What a patient's rows say.
#[derive(Debug, Clone, Copy)]
pub struct FurtherInput<'a> {
    /// Targets of the leading criterion.
    pub targets: &'a [String],
    /// All measurements.
    pub measurements: &'a [MeasurementRow],
    /// Rows of the leading criterion, baseline first: they give visits and new lesions.
    pub leading: &'a [AssessmentRow],
    /// Dates of systemic therapy, one per cycle.
    pub systemic: &'a [Date],
}

/// A row for every visit of the leading criterion.
pub fn further_rows(input: &FurtherInput<'_>, criterion: &Further) -> Vec<AssessmentRow> {
    let Some(baseline) = input.leading.first() else { return Vec::new() };
    let first = value_at(input, criterion, baseline.visit);
    let mut best = first.clone();
    let mut rows = Vec::new();
    for (at, leading) in input.leading.iter().enumerate() {
        let blank = blank(leading, criterion.id());
        if at == 0 {
            let why = match &first {
                Ok(value) => format!("baseline: {value}"),
                Err(reason) => format!("baseline not evaluable: {reason}"),
            };
            rows.push(AssessmentRow { target: "BASELINE".to_owned(), why, ..blank });
            continue;
        }
        let now = value_at(input, criterion, leading.visit);
        let told = match (&first, &best) {
            (Ok(first), Ok(best)) => judged(criterion, [*first, *best], &now, leading, input.systemic),
            (Err(reason), _) | (_, Err(reason)) => Judged::not(&format!("baseline not evaluable: {reason}: NE")),
        };
        if let (Ok(best), Ok(now)) = (&mut best, &now) {
            *best = (*best).min(*now);
        }
        let (overall, why, flips_if) = (told.response, told.why, told.flips_if);
        rows.push(AssessmentRow { target: overall.clone(), overall, why, flips_if, ..blank });
    }
    rows
}

struct Judged {
    response: String,
    why: String,
    flips_if: String,
}

impl Judged {
    fn not(why: &str) -> Self {
        Self { response: "NE".to_owned(), why: why.to_owned(), flips_if: String::new() }
    }
}

fn judged(
    criterion: &Further,
    [first, best]: [Exact; 2],
    now: &Result<Exact, String>,
    leading: &AssessmentRow,
    systemic: &[Date],
) -> Judged {
    let is_new = leading.new_lesion == "Y";
    match (criterion, now) {
        (_, Err(reason)) if !is_new => Judged::not(&format!("not evaluable: {reason}: NE")),
        (Further::Extent(table), now) => {
            let new_enhancement = if is_new { NewEnhancement::Yes } else { NewEnhancement::No };
            let extent = Extent { baseline: first, nadir: best, current: now.clone().ok(), new_enhancement };
            let found = extent_response(&extent, table);
            Judged { response: found.response.as_str().to_owned(), why: found.why, flips_if: found.flips_if }
        }
        (Further::Eortc(table), now) => {
            let n_cycles = systemic.iter().filter(|date| **date <= leading.date).count();
            let input = EortcInput {
                baseline_suv: first,
                follow_up_suv: now.clone().unwrap_or(first),
                n_cycles: n_cycles as u32,
                finding: if is_new { Finding::NewLesion } else { Finding::Uptake },
                extent_mm: None,
            };
            let found = eortc(&input, table);
            Judged { response: found.response.as_str().to_owned(), why: found.why, flips_if: found.flips_if }
        }
    }
}

/// The sum over the targets, or the hottest lesion of all.
fn value_at(input: &FurtherInput<'_>, criterion: &Further, visit: VisitId) -> Result<Exact, String> {
    let quantity = match criterion {
        Further::Eortc(_) => return hottest(input, visit),
        Further::Extent(table) => match table.rules.quantity.value {
            ExtentQuantity::Volume => "volume",
            ExtentQuantity::EnhancingVolume => "viable_volume",
            ExtentQuantity::EnhancingArea => return Err("no enhancing area is measured".to_owned()),
        },
    };
    if input.targets.is_empty() {
        return Err("no target".to_owned());
    }
    input.targets.iter().map(|target| of_target(input, target, quantity, visit)).sum()
}

fn of_target(input: &FurtherInput<'_>, target: &str, quantity: &str, visit: VisitId) -> Result<Exact, String> {
    let own = || input.measurements.iter().filter(|row| row.lesion_id == target && row.visit == visit);
    if own().any(|row| matches!(row.state.as_str(), "absent" | "ablated")) {
        return Ok(Exact::ZERO);
    }
    let reason = || own().map(|row| row.reason.as_str()).find(|reason| !reason.is_empty()).unwrap_or("not measured");
    let found = own().find(|row| row.quantity == quantity && row.evaluable).and_then(|row| row.value);
    found.and_then(Exact::from_image).ok_or_else(|| format!("{quantity} of {target}: {}", reason()))
}

fn hottest(input: &FurtherInput<'_>, visit: VisitId) -> Result<Exact, String> {
    let own = input.measurements.iter().filter(|row| row.visit == visit && row.quantity == "suv_max" && row.evaluable);
    own.filter_map(|row| Exact::from_image(row.value?)).max().ok_or_else(|| "no SUV was measured".to_owned())
}

fn blank(leading: &AssessmentRow, criterion: &str) -> AssessmentRow {
    AssessmentRow {
        criterion: criterion.to_owned(),
        sum_mm: None,
        baseline_mm: None,
        nadir_mm: None,
        target: String::new(),
        non_target: String::new(),
        overall: String::new(),
        why: String::new(),
        flips_if: String::new(),
        next_target: String::new(),
        next_target_mm: None,
        sum_half_width_mm: None,
        within_error: None,
        over_selections: String::new(),
        n_selections: None,
        ..leading.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    fn leading(day: Date, new_lesion: &str) -> AssessmentRow {
        AssessmentRow {
            patient_id: "1".to_owned(),
            criterion: "recist_1_1".to_owned(),
            date: day,
            study_day: 0,
            sum_mm: Some(30.0),
            baseline_mm: Some(30.0),
            nadir_mm: None,
            target: "SD".to_owned(),
            non_target: "NA".to_owned(),
            new_lesion: new_lesion.to_owned(),
            overall: "SD".to_owned(),
            why: String::new(),
            flips_if: String::new(),
            ablated_target: "viable".to_owned(),
            next_target: String::new(),
            next_target_mm: None,
            sum_half_width_mm: None,
            within_error: None,
            over_selections: String::new(),
            n_selections: None,
            visit: VisitId::first(day),
        }
    }

    fn measured(day: Date, lesion: &str, quantity: &str, value: Option<f64>, state: &str) -> MeasurementRow {
        MeasurementRow {
            patient_id: "1".to_owned(),
            lesion_id: lesion.to_owned(),
            date: day,
            study_day: 0,
            series_role: String::new(),
            quantity: quantity.to_owned(),
            value,
            unit: String::new(),
            low: None,
            high: None,
            method: String::new(),
            evaluable: value.is_some(),
            reason: if value.is_some() { String::new() } else { "cut off".to_owned() },
            state: state.to_owned(),
            caliper_lps_mm: String::new(),
            sop_instance_uid: String::new(),
            visit: VisitId::first(day),
        }
    }

    const DAYS: [Date; 4] = [date(2024, 1, 1), date(2024, 3, 1), date(2024, 5, 1), date(2024, 7, 1)];

    fn responses(id: &str, measurements: &[MeasurementRow], new_last: &str) -> Vec<String> {
        let rows = [leading(DAYS[0], ""), leading(DAYS[1], "N"), leading(DAYS[2], "N"), leading(DAYS[3], new_last)];
        let targets = ["L1".to_owned(), "L2".to_owned()];
        let input = FurtherInput { targets: &targets, measurements, leading: &rows, systemic: &[] };
        further_rows(&input, &Further::built_in(id).unwrap()).into_iter().skip(1).map(|row| row.overall).collect()
    }

    #[test]
    fn volumes_of_the_targets_are_summed_and_a_gone_one_counts_nothing() {
        let of = |at: usize, lesion, value| measured(DAYS[at], lesion, "volume", Some(value), "present");
        let rows = [
            of(0, "L1", 6_000.0),
            of(0, "L2", 4_000.0),
            // Minus 65 percent in volume is partial.
            of(1, "L1", 3_000.0),
            measured(DAYS[1], "L2", "volume", None, "ablated"),
            of(2, "L1", 3_000.0),
            measured(DAYS[2], "L2", "volume", None, "not_evaluable"),
            of(3, "L1", 7_000.0),
            of(3, "L2", 0.0),
        ];
        assert_eq!(responses("vrecist", &rows, "N"), ["PR", "NE", "PD"]);
        assert_eq!(responses("vrecist", &rows[..6], "Y"), ["PR", "NE", "PD"], "a new lesion is progression");
        assert_eq!(responses("qeasl", &rows, "N"), ["NE", "NE", "NE"], "nothing enhancing was measured");
    }

    #[test]
    fn the_hottest_lesion_decides_by_eortc() {
        let of = |at: usize, lesion, value| measured(DAYS[at], lesion, "suv_max", Some(value), "present");
        let rows = [of(0, "L1", 8.0), of(0, "L2", 5.0), of(1, "L1", 5.0), of(1, "L2", 6.0), of(3, "L1", 11.0)];
        assert_eq!(responses("eortc_1999", &rows, "N"), ["PMR", "NE", "PMD"]);
    }

    #[test]
    fn what_a_run_cannot_measure_is_said() {
        for (id, said) in
            [("easl", "cross-product"), ("percist_1_0", "SULpeak"), ("deauville", "reads.csv"), ("who", "expected")]
        {
            assert!(Further::built_in(id).unwrap_err().contains(said), "{id}");
        }
    }
}
