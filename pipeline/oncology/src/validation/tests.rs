use jiff::civil::date;

use super::*;
use crate::time::Date;

const FIRST: Date = date(2020, 1, 6);
const SECOND: Date = date(2020, 3, 2);
const THIRD: Date = date(2020, 5, 4);

fn assessment(patient: &str, day: Date, (target, overall): (&str, &str), sum_mm: f64) -> AssessmentRow {
    AssessmentRow {
        patient_id: patient.to_owned(),
        criterion: "recist_1_1".to_owned(),
        date: day,
        study_day: 0,
        sum_mm: Some(sum_mm),
        baseline_mm: None,
        nadir_mm: None,
        target: target.to_owned(),
        non_target: "NA".to_owned(),
        new_lesion: "N".to_owned(),
        overall: overall.to_owned(),
        why: "because".to_owned(),
        flips_if: "2 mm".to_owned(),
        ablated_target: String::new(),
        next_target: String::new(),
        next_target_mm: None,
        sum_half_width_mm: None,
        within_error: Some(true),
        over_selections: String::new(),
        n_selections: None,
        non_target_seen: None,
        visit: VisitId::first(day),
    }
}

fn measurement(lesion: &str, value: Option<f64>) -> MeasurementRow {
    MeasurementRow {
        patient_id: "A".to_owned(),
        lesion_id: lesion.to_owned(),
        date: FIRST,
        study_day: 0,
        series_role: "ct_portal_venous".to_owned(),
        quantity: "long_axis".to_owned(),
        value,
        unit: "mm".to_owned(),
        low: None,
        high: None,
        method: String::new(),
        evaluable: value.is_some(),
        reason: if value.is_some() { String::new() } else { "cut by the image's end".to_owned() },
        state: "present".to_owned(),
        caliper_lps_mm: String::new(),
        sop_instance_uid: String::new(),
        visit: VisitId::first(FIRST),
    }
}

fn response(line: usize, patient: &str, day: Date, overall: &str, parts: [&str; 3]) -> Reading {
    let parts = parts.map(str::to_owned);
    let read = Read::Response { criterion: "recist_1_1".to_owned(), overall: overall.to_owned(), parts, sum_mm: None };
    Reading { line, reader: "R1".to_owned(), patient_id: patient.to_owned(), visit: VisitId::first(day), read }
}

fn size(line: usize, lesion: &str, value: f64, unit: &str) -> Reading {
    let [lesion_id, quantity, unit] = [lesion, "long_axis", unit].map(str::to_owned);
    let read = Read::Size { lesion_id, quantity, value, unit };
    Reading { line, reader: "R1".to_owned(), patient_id: "A".to_owned(), visit: VisitId::first(FIRST), read }
}

fn program() -> Vec<AssessmentRow> {
    vec![
        assessment("A", FIRST, ("BASELINE", ""), 50.0),
        assessment("A", SECOND, ("PR", "PR"), 30.0),
        assessment("A", THIRD, ("PR", "PR"), 31.0),
        assessment("B", SECOND, ("SD", "SD"), 40.0),
        assessment("B", THIRD, ("NE", "NE"), 40.0),
    ]
}

#[test]
fn responses_are_paired_counted_and_their_differences_explained() {
    let readings = [
        response(2, "A", SECOND, "PR", ["", "", ""]),
        response(3, "A", THIRD, "PD", ["PR", "NA", "Y"]),
        response(4, "B", SECOND, "SD", ["", "", ""]),
        response(5, "B", THIRD, "SD", ["SD", "NA", "N"]),
    ];
    let found = validate(&program(), &[], &readings);
    let agreement = &found.responses["R1"]["recist_1_1"];
    assert_eq!((agreement.n, agreement.not_evaluable), (3, NotJudged { both: 0, reader: 0, program: 1 }));
    // Three pairs: PR-PR, PD-PR, SD-SD. Observed 2/3; by chance (1·2 + 1·0 + 1·1) / 9 = 1/3: kappa 1/2.
    let plain = agreement.kappa.as_ref().and_then(Evaluable::value).unwrap();
    assert!((plain.kappa - 0.5).abs() < 1e-12, "{plain:?}");
    assert_eq!(agreement.table["PD"]["PR"], 1);
    let told: Vec<_> = agreement.discordances.iter().map(|one| (one.patient_id.as_str(), one.cause)).collect();
    assert_eq!(told, [("A", Some(DiscordanceCause::NewLesion)), ("B", Some(DiscordanceCause::Evaluability))]);
    assert_eq!(agreement.discordances[0].within_error, Some(true));
    assert!(found.unmatched.is_empty());
}

#[test]
fn without_the_readers_parts_no_cause_is_guessed() {
    let found = validate(&program(), &[], &[response(2, "A", SECOND, "SD", ["", "NA", ""])]);
    let agreement = &found.responses["R1"]["recist_1_1"];
    assert_eq!(agreement.discordances[0].cause, None);
    assert_eq!(agreement.kappa.as_ref().and_then(Evaluable::value).map(|k| k.kappa), Some(0.0), "one pair, no luck");
}

#[test]
fn sizes_and_sums_have_limits_of_agreement() {
    let own = [measurement("L1", Some(20.0)), measurement("L2", Some(31.0)), measurement("L3", None)];
    let mut with_sum = response(4, "A", SECOND, "PR", ["", "", ""]);
    if let Read::Response { sum_mm, .. } = &mut with_sum.read {
        *sum_mm = Some(28.0);
    }
    let found = validate(&program(), &own, &[size(2, "L1", 19.0, "mm"), size(3, "L2", 28.0, ""), with_sum]);
    let axes = &found.sizes["R1"]["long_axis"];
    let limits = axes.bland_altman.value().unwrap();
    assert_eq!((limits.bias, limits.n, axes.unit.as_str()), (2.0, 2, "mm"));
    assert_eq!(axes.median_absolute_difference, Evaluable::Value(2.0));
    let sums = &found.sizes["R1"]["sum_of_diameters (recist_1_1)"];
    assert_eq!((sums.pairs[0].program, sums.bland_altman.value()), (30.0, None));
}

#[test]
fn what_has_no_counterpart_is_named_with_its_line() {
    let own = [measurement("L1", Some(20.0)), measurement("L3", None)];
    let readings = [
        response(2, "C", SECOND, "PR", ["", "", ""]),
        response(3, "A", FIRST, "SD", ["", "", ""]),
        size(4, "L1", 2.0, "cm"),
        size(5, "L3", 9.0, "mm"),
        size(6, "L9", 9.0, "mm"),
    ];
    let found = validate(&program(), &own, &readings);
    let told: Vec<(usize, &str)> = found.unmatched.iter().map(|one| (one.line, one.reason.as_str())).collect();
    let wanted = [
        (2, "the program has no recist_1_1 of patient C at 2020-03-02"),
        (3, "the reader says SD, but 2020-01-06 is the program's baseline"),
        (4, "the reader's unit is cm, the program's mm"),
        (5, "the program's long_axis of lesion L3 of patient A is not evaluable: cut by the image's end"),
        (6, "the program has no long_axis of lesion L9 of patient A at 2020-01-06"),
    ];
    assert_eq!(told, wanted);
}
