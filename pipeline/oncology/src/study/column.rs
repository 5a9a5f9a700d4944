//! What is known of each patient or lesion at the beginning, one column per variable: for Table 1 and for the Cox models.
//!
//! Numbers are told from words over the whole cohort: a column is a number where every value is one and some value is no whole
//! number or 10 and more, so that codes of stages (0, 1, 2) are counted and not averaged.

use std::collections::{BTreeMap, BTreeSet};

use super::{NO_FACTS, StudyPatient};
use crate::evaluable::Evaluable;
use crate::marker::{Marker, MarkerReading, WINDOW_DAYS};
use crate::time::{Date, Days};
use crate::treatment::CycleRule;

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// A number in the column's unit.
    Number(f64),
    /// A word.
    Word(String),
}

/// What a column counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// One value per patient.
    Patients,
    /// One value per lesion at baseline.
    Lesions,
    /// One value per lesion treated in the first cycle.
    TreatedLesions,
}

impl Counted {
    /// The word in tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Patients => "patients",
            Self::Lesions => "lesions at baseline",
            Self::TreatedLesions => "lesions treated first",
        }
    }
}

/// One variable with its values, each with the index of its patient.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// What is counted.
    pub counted: Counted,
    /// Name as in `patients.csv`, or the program's own.
    pub variable: String,
    /// Unit of the numbers; empty when there is none.
    pub unit: String,
    /// Values in the order of the patients.
    pub values: Vec<(usize, Evaluable<Cell>)>,
}

impl Column {
    /// Whether the values are numbers.
    pub fn is_number(&self) -> bool {
        self.values.iter().any(|(_, cell)| matches!(cell.value(), Some(Cell::Number(_))))
    }

    /// The words that occur, the most frequent first.
    pub fn levels(&self) -> Vec<(String, usize)> {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for (_, cell) in &self.values {
            if let Some(Cell::Word(word)) = cell.value() {
                *counts.entry(word).or_default() += 1;
            }
        }
        let mut levels: Vec<(String, usize)> = counts.into_iter().map(|(word, n)| (word.to_owned(), n)).collect();
        levels.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
        levels
    }
}

/// Columns of `patients.csv` that are outcomes, not characteristics.
const OUTCOMES: [&str; 1] = ["death_cause"];

/// Everything known of the patients at the beginning: diagnosis, columns of `patients.csv`, markers, number and size of lesions.
pub fn patient_columns(patients: &[StudyPatient<'_>], rule: CycleRule) -> Vec<Column> {
    let mut columns = vec![word_column(patients, "diagnosis", |patient| {
        told(patient.diagnosis, "not recorded").map(|word| Cell::Word(word.to_owned()))
    })];
    let names: BTreeSet<String> = patients
        .iter()
        .filter_map(|patient| patient.facts)
        .flat_map(|facts| facts.covariates.keys().cloned())
        .collect();
    for name in names.iter().filter(|name| !OUTCOMES.contains(&name.as_str())) {
        columns.push(covariate(patients, name));
    }
    columns.extend(markers(patients));
    columns.extend(burden(patients, rule));
    columns
}

fn told<'a>(text: &'a str, otherwise: &str) -> Evaluable<&'a str> {
    let is_missing = matches!(text.trim(), "" | "NA" | "N/A" | "unknown");
    if is_missing { Evaluable::not(otherwise) } else { Evaluable::Value(text.trim()) }
}

fn word_column(
    patients: &[StudyPatient<'_>],
    variable: &str,
    value: impl Fn(&StudyPatient<'_>) -> Evaluable<Cell>,
) -> Column {
    let values = patients.iter().enumerate().map(|(n, patient)| (n, value(patient))).collect();
    Column { counted: Counted::Patients, variable: variable.to_owned(), unit: String::new(), values }
}

fn covariate(patients: &[StudyPatient<'_>], name: &str) -> Column {
    let text = |patient: &StudyPatient<'_>| match patient.facts {
        None => Evaluable::not(NO_FACTS),
        Some(facts) => told(facts.covariates.get(name).map_or("", String::as_str), "not recorded").map(str::to_owned),
    };
    let texts: Vec<Evaluable<String>> = patients.iter().map(text).collect();
    let is_number = numbers(texts.iter().filter_map(|text| text.value().map(String::as_str)));
    let cell = |text: String| match text.parse::<f64>() {
        Ok(number) if is_number => Cell::Number(number),
        _ => Cell::Word(text),
    };
    let values = texts.into_iter().enumerate().map(|(n, text)| (n, text.map(cell))).collect();
    let unit = unit_of(name).filter(|_| is_number).unwrap_or_default().to_owned();
    Column { counted: Counted::Patients, variable: name.to_owned(), unit, values }
}

/// Whether texts are numbers to be averaged.
fn numbers<'a>(texts: impl Iterator<Item = &'a str>) -> bool {
    let parsed: Option<Vec<f64>> = texts.map(|text| text.parse().ok().filter(|v: &f64| v.is_finite())).collect();
    parsed.is_some_and(|all| all.iter().any(|value| value.fract() != 0.0 || value.abs() >= 10.0))
}

/// The unit that ends a column's name.
pub fn unit_of(name: &str) -> Option<&'static str> {
    const UNITS: [(&str, &str); 14] = [
        ("_years", "years"),
        ("_kg", "kg"),
        ("_mg_dl", "mg/dl"),
        ("_g_dl", "g/dl"),
        ("_u_l", "U/l"),
        ("_ng_ml", "ng/ml"),
        ("_mm", "mm"),
        ("_cm", "cm"),
        ("_m", "m"),
        ("_days", "days"),
        ("_months", "months"),
        ("_percent", "%"),
        ("_gy", "Gy"),
        ("_s", "s"),
    ];
    UNITS.iter().find(|(ending, _)| name.to_lowercase().ends_with(ending)).map(|(_, unit)| *unit)
}

/// Value and height above normal of each marker that was ever read, at the beginning.
fn markers(patients: &[StudyPatient<'_>]) -> Vec<Column> {
    let read = patients.iter().filter_map(|patient| patient.facts).flat_map(|facts| &facts.markers);
    let kinds: BTreeSet<Marker> = read.map(|reading| reading.marker).collect();
    let of_kind = |marker: Marker| {
        let found: Vec<Evaluable<&MarkerReading>> =
            patients.iter().map(|patient| baseline_reading(patient, marker)).collect();
        let unit = found.iter().find_map(|reading| reading.value()).map_or_else(String::new, |r| r.unit.clone());
        let value = |(n, reading): (usize, &Evaluable<&MarkerReading>)| {
            let cell = match reading.value() {
                Some(one) if one.unit != unit => Evaluable::not(format!("in {}, not in {unit}", one.unit)),
                _ => reading.clone().map(|one| Cell::Number(one.value.to_f64())),
            };
            (n, cell)
        };
        let height = |(n, reading): (usize, &Evaluable<&MarkerReading>)| {
            let word = |one: &MarkerReading| if one.value > one.upper_limit { "above normal" } else { "normal" };
            (n, reading.clone().map(|one| Cell::Word(word(one).to_owned())))
        };
        let column =
            |variable: String, unit: String, values| Column { counted: Counted::Patients, variable, unit, values };
        [
            column(marker.to_string(), unit.clone(), found.iter().enumerate().map(value).collect()),
            column(format!("{marker} at baseline"), String::new(), found.iter().enumerate().map(height).collect()),
        ]
    };
    kinds.into_iter().flat_map(of_kind).collect()
}

/// The reading nearest to the first treatment (else to baseline imaging), at most 28 days away and not after the treatment.
fn baseline_reading<'a>(patient: &StudyPatient<'a>, marker: Marker) -> Evaluable<&'a MarkerReading> {
    let Some(facts) = patient.facts else { return Evaluable::not(NO_FACTS) };
    let treated = facts.clinical.treatments.iter().map(|treatment| treatment.date).min();
    let imaged = patient.visits.first().map(|visit| visit.date());
    let Some(start) = treated.or(imaged) else { return Evaluable::not("no treatment and no imaging") };
    let distance = |reading: &MarkerReading| Days::between(reading.date, start).0;
    let fits = |reading: &&MarkerReading| {
        let days = distance(reading);
        days.abs() <= WINDOW_DAYS && (treated.is_none() || days >= 0)
    };
    let own = facts.markers.iter().filter(|reading| reading.marker == marker);
    match own.filter(fits).min_by_key(|reading| (distance(reading).abs(), std::cmp::Reverse(reading.date))) {
        Some(reading) => Evaluable::Value(reading),
        None => Evaluable::not(format!("no {marker} within {WINDOW_DAYS} days before treatment")),
    }
}

/// The lesions seen at baseline.
fn at_baseline<'a>(patient: &StudyPatient<'a>) -> Evaluable<(Date, Vec<&'a str>)> {
    let Some(baseline) = patient.visits.first() else { return Evaluable::not("no imaging") };
    let seen = patient.lesions.iter().filter(|row| row.first_seen_visit == *baseline);
    Evaluable::Value((baseline.date(), seen.map(|row| row.lesion_id.as_str()).collect()))
}

fn burden(patients: &[StudyPatient<'_>], rule: CycleRule) -> Vec<Column> {
    let number = |variable: &str, unit: &str, value: &dyn Fn(&StudyPatient<'_>) -> Evaluable<f64>| Column {
        unit: unit.to_owned(),
        ..word_column(patients, variable, |patient| value(patient).map(Cell::Number))
    };
    let largest = |patient: &StudyPatient<'_>, lesions: &[&str], until: Date| {
        let sizes: Option<Vec<f64>> = lesions.iter().map(|lesion| patient.diameter_until(lesion, until)).collect();
        let largest = sizes.and_then(|sizes| sizes.into_iter().max_by(f64::total_cmp));
        largest.map_or_else(|| Evaluable::not("no lesion, or one without a diameter"), Evaluable::Value)
    };
    let targets = |patient: &StudyPatient<'_>| {
        let targets = patient.first_targets(rule);
        if targets.is_empty() { Evaluable::not("no treated lesion is known") } else { Evaluable::Value(targets) }
    };
    let first_session = |patient: &StudyPatient<'_>| patient.course(rule).1.first().map(|cycle| cycle.start);
    let focality = |n: usize| Cell::Word(if n == 1 { "unifocal" } else { "multifocal" }.to_owned());
    vec![
        number("lesions_at_baseline", "", &|p| at_baseline(p).map(|(_, lesions)| lesions.len() as f64)),
        number("largest_diameter_mm", "mm", &|p| match at_baseline(p) {
            Evaluable::Value((day, lesions)) => largest(p, &lesions, day),
            Evaluable::NotEvaluable(reason) => Evaluable::NotEvaluable(reason),
        }),
        number("target_lesions", "", &|p| targets(p).map(|targets| targets.len() as f64)),
        word_column(patients, "focality_of_targets", |p| targets(p).map(|targets| focality(targets.len()))),
        number("target_diameter_mm", "mm", &|p| match (targets(p), first_session(p)) {
            (Evaluable::Value(targets), Some(day)) => {
                largest(p, &targets.iter().map(crate::lesion::LesionId::as_str).collect::<Vec<_>>(), day)
            }
            (Evaluable::NotEvaluable(reason), _) => Evaluable::NotEvaluable(reason),
            (Evaluable::Value(_), None) => Evaluable::not("no session"),
        }),
    ]
}

/// Organ, kind and diameter of each lesion at baseline, and the diameter of each lesion of the first cycle before its treatment.
pub fn lesion_columns(patients: &[StudyPatient<'_>], rule: CycleRule) -> Vec<Column> {
    let blank = |counted, variable: &str, unit: &str| Column {
        counted,
        variable: variable.to_owned(),
        unit: unit.to_owned(),
        values: Vec::new(),
    };
    let mut organ = blank(Counted::Lesions, "organ", "");
    let mut diameter = blank(Counted::Lesions, "diameter_mm", "mm");
    let mut treated = blank(Counted::TreatedLesions, "diameter_before_treatment_mm", "mm");
    let mut treated_organ = blank(Counted::TreatedLesions, "organ", "");
    let sized = |found: Option<f64>| {
        found.map_or_else(|| Evaluable::not("no diameter before"), |mm| Evaluable::Value(Cell::Number(mm)))
    };
    for (n, patient) in patients.iter().enumerate() {
        let organ_of = |lesion: &str| {
            let row = patient.lesions.iter().find(|row| row.lesion_id == lesion);
            told(row.map_or("", |row| row.organ.as_str()), "organ not known").map(|word| Cell::Word(word.to_owned()))
        };
        if let Evaluable::Value((day, lesions)) = at_baseline(patient) {
            for lesion in lesions {
                organ.values.push((n, organ_of(lesion)));
                diameter.values.push((n, sized(patient.diameter_until(lesion, day))));
            }
        }
        let (sessions, _) = patient.course(rule);
        for lesion in patient.first_targets(rule) {
            let day = sessions.iter().find(|session| session.target_lesions.contains(&lesion)).map(|s| s.date);
            treated.values.push((n, sized(day.and_then(|day| patient.diameter_until(lesion.as_str(), day)))));
            treated_organ.values.push((n, organ_of(lesion.as_str())));
        }
    }
    vec![organ, diameter, treated_organ, treated]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_are_counted_and_measures_averaged() {
        assert!(numbers(["61", "70", "44"].into_iter()), "ages");
        assert!(numbers(["0.4", "1"].into_iter()), "bilirubin");
        assert!(!numbers(["0", "1", "2"].into_iter()), "performance status");
        assert!(!numbers(["A", "12"].into_iter()));
        assert_eq!(
            (unit_of("age_years"), unit_of("bilirubin_mg_dl"), unit_of("sex")),
            (Some("years"), Some("mg/dl"), None)
        );
    }
}
