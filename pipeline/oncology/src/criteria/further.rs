//! Criteria beside the leading ones on a patient's own measurements: area, volume or enhancing volume of the targets (EASL, vRECIST,
//! qEASL), and FDG uptake of all lesions (EORTC, PERCIST, Lugano). Targets and new lesions are those of the leading criterion.
//!
//! Source: Bruix et al. 2001 (EASL); Chapiro et al. 2014 (vRECIST, qEASL); Young et al. 1999 (EORTC); Wahl et al. 2009 (PERCIST);
//! Barrington et al. 2014, Cheson et al. 2014 (Deauville score, Lugano classes).

use super::deauville::DeauvilleTable;
use super::eortc::EortcTable;
use super::extent::{Extent, ExtentQuantity, ExtentTable, NewEnhancement, extent_response};
use super::percist::PercistTable;
use crate::cohort::{AssessmentRow, MeasurementRow, PetReferenceRow};
use crate::exact::Exact;
use crate::time::Date;
use crate::visit_id::VisitId;

mod metabolic;
mod scan;

/// One of them, read and checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Further {
    /// By a sum over the targets.
    Extent(ExtentTable),
    /// By the SUV of the hottest lesion.
    Eortc(EortcTable),
    /// By the SULpeak of the hottest lesion.
    Percist(Box<PercistTable>),
    /// By the SUV of the hottest lesion against the liver's.
    Lugano(DeauvilleTable),
}

impl Further {
    /// A built-in one by its identifier; `Err` says why it cannot be had from a run's measurements.
    pub fn built_in(id: &str) -> Result<Self, String> {
        let unread = |error: super::table::TableError| error.to_string();
        match id {
            "vrecist" | "qeasl" | "easl" => ExtentTable::built_in(id).map(Self::Extent).map_err(unread),
            "eortc_1999" => EortcTable::built_in(id).map(Self::Eortc).map_err(unread),
            "percist_1_0" => PercistTable::built_in(id).map(|table| Self::Percist(Box::new(table))).map_err(unread),
            "deauville" => DeauvilleTable::built_in(id).map(Self::Lugano).map_err(unread),
            "lirads_tr" | "narayanan2024_response" => {
                Err(format!("{id} is coded by a reader: see reads.csv, and cohort/readings.csv"))
            }
            _ => Err(format!("expected easl, vrecist, qeasl, eortc_1999, percist_1_0 or deauville, found {id:?}")),
        }
    }

    /// Its identifier.
    pub fn id(&self) -> &str {
        match self {
            Self::Extent(table) => &table.id,
            Self::Eortc(table) => &table.id,
            Self::Percist(table) => &table.id,
            Self::Lugano(table) => &table.id,
        }
    }

    /// Its version and text, for the record.
    pub fn version_and_text(&self) -> (u32, &str) {
        match self {
            Self::Extent(table) => (table.version, table.text()),
            Self::Eortc(table) => (table.version, table.text()),
            Self::Percist(table) => (table.version, table.text()),
            Self::Lugano(table) => (table.version, table.text()),
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
    /// The PETs, one for each visit that has one.
    pub pets: &'a [PetReferenceRow],
}

/// A row for every visit of the leading criterion.
pub fn further_rows(input: &FurtherInput<'_>, criterion: &Further) -> Vec<AssessmentRow> {
    if input.leading.is_empty() {
        return Vec::new();
    }
    let told = match criterion {
        Further::Extent(table) => extent_rows(input, table),
        Further::Eortc(table) => metabolic::by_eortc(input, table),
        Further::Percist(table) => metabolic::by_percist(input, table),
        Further::Lugano(table) => metabolic::by_lugano(input, table),
    };
    let row = |(leading, told): (&AssessmentRow, Judged)| AssessmentRow {
        target: told.target,
        overall: told.response,
        why: told.why,
        flips_if: told.flips_if,
        ..blank(leading, criterion.id())
    };
    input.leading.iter().zip(told).map(row).collect()
}

/// What is said of one visit.
struct Judged {
    target: String,
    response: String,
    why: String,
    flips_if: String,
}

impl Judged {
    fn baseline(why: String) -> Self {
        Self { target: "BASELINE".to_owned(), response: String::new(), why, flips_if: String::new() }
    }

    fn new(response: &str, why: String, flips_if: String) -> Self {
        Self { target: response.to_owned(), response: response.to_owned(), why, flips_if }
    }

    fn not(why: &str) -> Self {
        Self::new("NE", format!("not evaluable: {why}: NE"), String::new())
    }
}

fn extent_rows(input: &FurtherInput<'_>, table: &ExtentTable) -> Vec<Judged> {
    let quantity = match table.rules.quantity.value {
        ExtentQuantity::Volume => "volume",
        ExtentQuantity::EnhancingVolume => "viable_volume",
        ExtentQuantity::EnhancingArea => "viable_cross_product",
    };
    let mut sums = input.leading.iter().map(|row| sum_at(input, quantity, row.visit));
    let first = sums.next().unwrap_or_else(|| Err("no visit".to_owned()));
    let mut rows = vec![match &first {
        Ok(value) => Judged::baseline(format!("baseline: {value}")),
        Err(reason) => Judged::baseline(format!("baseline not evaluable: {reason}")),
    }];
    let mut best = first.clone();
    for (leading, now) in input.leading[1..].iter().zip(sums) {
        rows.push(match (&first, &best, &now) {
            (Err(reason), ..) | (_, Err(reason), _) => Judged::not(&format!("baseline: {reason}")),
            (_, _, Err(reason)) if leading.new_lesion != "Y" => Judged::not(reason),
            (Ok(baseline), Ok(nadir), _) => {
                let (baseline, nadir) = (*baseline, *nadir);
                let is_new = leading.new_lesion == "Y";
                let new_enhancement = if is_new { NewEnhancement::Yes } else { NewEnhancement::No };
                let extent = Extent { baseline, nadir, current: now.clone().ok(), new_enhancement };
                let found = extent_response(&extent, table);
                Judged::new(found.response.as_str(), found.why, found.flips_if)
            }
        });
        if let (Ok(best), Ok(now)) = (&mut best, &now) {
            *best = (*best).min(*now);
        }
    }
    rows
}

/// The sum over the targets.
fn sum_at(input: &FurtherInput<'_>, quantity: &str, visit: VisitId) -> Result<Exact, String> {
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
        non_target_seen: None,
        ..leading.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    pub(super) fn leading(day: Date, new_lesion: &str) -> AssessmentRow {
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
            non_target_seen: None,
            visit: VisitId::first(day),
        }
    }

    pub(super) fn measured(day: Date, lesion: &str, quantity: &str, value: Option<f64>, state: &str) -> MeasurementRow {
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

    pub(super) const DAYS: [Date; 4] = [date(2024, 1, 1), date(2024, 3, 1), date(2024, 5, 1), date(2024, 7, 1)];

    /// A PET with a quiet liver: SUL 1.6, SD 0.1, hottest 2.2 SUVbw.
    pub(super) fn pet(day: Date) -> PetReferenceRow {
        PetReferenceRow {
            patient_id: "1".to_owned(),
            date: day,
            study_day: 0,
            series_role: "pet".to_owned(),
            region: "liver".to_owned(),
            mean: Some(2.0),
            sd: Some(0.125),
            max: Some(2.2),
            n_voxels: Some(251),
            x_mm: Some(0.0),
            y_mm: Some(0.0),
            z_mm: Some(0.0),
            reason: String::new(),
            sul_per_suv: Some(0.8),
            sul_formula: "janmahasatian".to_owned(),
            sul_reason: String::new(),
            uptake_min: Some(60.0),
            uptake_reason: String::new(),
            scanner: "A 1".to_owned(),
            visit: VisitId::first(day),
        }
    }

    fn responses(id: &str, measurements: &[MeasurementRow], new_last: &str) -> Vec<String> {
        let rows = [leading(DAYS[0], ""), leading(DAYS[1], "N"), leading(DAYS[2], "N"), leading(DAYS[3], new_last)];
        let targets = ["L1".to_owned(), "L2".to_owned()];
        let pets = DAYS.map(pet);
        let input = FurtherInput { targets: &targets, measurements, leading: &rows, systemic: &[], pets: &pets };
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
    fn areas_of_enhancing_tissue_go_by_easl() {
        let of = |at: usize, value| measured(DAYS[at], "L1", "viable_cross_product", Some(value), "present");
        let rows = |third: f64| [[of(0, 1_000.0), of(1, 500.0), of(2, third), of(3, 0.0)].to_vec(), gone()].concat();
        // 625 is 25 % above the best response, and must be exceeded.
        assert_eq!(responses("easl", &rows(625.0), "N"), ["PR", "SD", "CR"]);
        assert_eq!(responses("easl", &rows(625.01), "N"), ["PR", "PD", "CR"]);
        assert_eq!(responses("easl", &rows(500.0), "Y"), ["PR", "PR", "PD"], "new enhancement comes first");
    }

    /// L2 was never there to be measured.
    fn gone() -> Vec<MeasurementRow> {
        DAYS.iter().map(|day| measured(*day, "L2", "viable_cross_product", None, "absent")).collect()
    }

    #[test]
    fn what_a_run_cannot_measure_is_said() {
        for (id, said) in [("lirads_tr", "reads.csv"), ("narayanan2024_response", "reads.csv"), ("who", "expected")] {
            assert!(Further::built_in(id).unwrap_err().contains(said), "{id}");
        }
    }
}
