use super::*;
use crate::adam::adtr_rows;
use crate::evaluable::Evaluable;
use crate::exact::Exact;
use jiff::civil::date;

fn visit(day: i64, text: &str, sum: f64, overall: &str) -> SdtmAssessment {
    SdtmAssessment {
        subject: "S1".to_owned(),
        criterion: "recist_1_1".to_owned(),
        evaluator: "INVESTIGATOR".to_owned(),
        evaluator_id: String::new(),
        sequence: String::new(),
        accepted: false,
        visit: format!("DAY {day}"),
        visit_num: Exact::whole(i32::try_from(day).unwrap()),
        link_group: String::new(),
        study_day: Evaluable::Value(day),
        study_day_range: None,
        date: text.to_owned(),
        visit_date: text.to_owned(),
        origin_date: "2024-01-01".to_owned(),
        baseline_date: "2023-12-22".to_owned(),
        sum_mm: Evaluable::Value(sum),
        baseline_mm: Evaluable::Value(100.0),
        nadir_mm: Evaluable::Value(80.0),
        target: overall.to_owned(),
        non_target: "NA".to_owned(),
        non_target_seen: false,
        new_lesion: "N".to_owned(),
        overall: overall.to_owned(),
        why: String::new(),
        flips_if: String::new(),
        notes: Vec::new(),
    }
}

/// AVALC and ADT of every parameter but OVR, for responses on given dates.
fn derived(visits: &[(&str, &str)]) -> BTreeMap<&'static str, (String, Option<Date>)> {
    let table = CriterionTable::built_in("recist_1_1").unwrap();
    let one = |(day, (text, word)): (i64, &(&str, &str))| visit(day, text, 60.0, word);
    let visits: Vec<SdtmAssessment> = (1..).zip(visits).map(one).collect();
    let rows = adrs_rows(&visits, &table);
    rows.into_iter().filter(|row| row.paramcd != "OVR").map(|row| (row.paramcd, (row.avalc, row.adt))).collect()
}

fn of(word: &str, day: Option<Date>) -> (String, Option<Date>) {
    (word.to_owned(), day)
}

#[test]
fn a_response_seen_once_is_not_confirmed() {
    let table = CriterionTable::built_in("recist_1_1").unwrap();
    let visits = [visit(56, "2024-02-26", 60.0, "PR"), visit(70, "2024-03", 90.0, "PD")];
    let rows = adrs_rows(&visits, &table);
    let of = |code: &str| rows.iter().find(|row| row.paramcd == code).unwrap();
    assert_eq!((of("BOR").avalc.as_str(), of("CBOR").avalc.as_str()), ("PR", "SD"));
    assert_eq!((of("RSP").avalc.as_str(), of("RSP").adt), ("Y", Some(date(2024, 2, 26))));
    assert_eq!((of("CRSP").avalc.as_str(), of("CRSP").adt), ("N", None));
    assert_eq!((of("PD").avalc.as_str(), of("PD").adt), ("Y", None), "a partial date is not completed");
    assert_eq!(of("PD").adtc, "2024-03");
    assert_eq!(
        rows.iter().filter(|row| row.paramcd == "OVR").map(|row| row.aval).collect::<Vec<_>>(),
        [Some(2), Some(5)]
    );
    assert_eq!(rows.iter().map(|row| row.aseq).collect::<Vec<_>>(), (1..=9).collect::<Vec<_>>());
    assert_eq!((rows[0].ady, rows[0].parcat1.as_str(), rows[0].paramn), (Some(57), "RECIST 1.1", 1));
}

#[test]
fn sums_begin_with_baseline() {
    let sums = adtr_rows(&[visit(56, "2024-02-26", 60.0, "PR")]);
    assert_eq!((sums[0].ablfl, sums[0].aval, sums[0].adt), ("Y", Some(100.0), Some(date(2023, 12, 22))));
    assert_eq!(sums[0].ady, Some(-10), "the images were made ten days before the treatment");
    let values: Vec<Option<f64>> = sums[1..].iter().map(|row| row.aval).collect();
    assert_eq!(values, [Some(60.0), Some(80.0), Some(-40.0), Some(-40.0), Some(-20.0), Some(-25.0)]);
    let missing = SdtmAssessment { sum_mm: Evaluable::not("T1: not done"), ..visit(56, "2024-02-26", 0.0, "NE") };
    let reasons: Vec<String> = adtr_rows(&[missing]).into_iter().skip(1).map(|row| row.avalrsn).collect();
    assert_eq!(reasons, ["T1: not done", "", "T1: not done", "T1: not done", "T1: not done", "T1: not done"]);
}

#[test]
fn nothing_after_the_first_progression_is_a_response() {
    let rows = derived(&[("2024-03-01", "PD"), ("2024-05-01", "PR"), ("2024-07-01", "PR")]);
    let first = Some(date(2024, 3, 1));
    for (code, expected) in [
        ("RSP", of("N", None)),
        ("CRSP", of("N", None)),
        ("CB", of("N", None)),
        ("BOR", of("PD", first)),
        ("CBOR", of("PD", first)),
        ("PD", of("Y", first)),
        ("LSTA", of("PR", Some(date(2024, 7, 1)))),
    ] {
        assert_eq!(rows[code], expected, "{code}");
    }
    let table = CriterionTable::built_in("recist_1_1").unwrap();
    let visits = [visit(60, "2024-03-01", 60.0, "PD"), visit(121, "2024-05-01", 60.0, "PR")];
    let flags: Vec<&str> = adrs_rows(&visits, &table)[..2].iter().map(|row| row.anl01fl).collect();
    assert_eq!(flags, ["Y", ""]);
}

#[test]
fn a_confirmed_response_is_dated_by_the_first_of_the_pair() {
    let rows = derived(&[
        ("2024-03-01", "PR"),
        ("2024-04-01", "NE"),
        ("2024-05-01", "NE"),
        ("2024-07-01", "PR"),
        ("2024-09-01", "PR"),
    ]);
    assert_eq!(rows["RSP"], of("Y", Some(date(2024, 3, 1))));
    assert_eq!(rows["BOR"], of("PR", Some(date(2024, 3, 1))));
    assert_eq!(rows["CRSP"], of("Y", Some(date(2024, 7, 1))));
    assert_eq!(rows["CBOR"], of("PR", Some(date(2024, 7, 1))));
}

#[test]
fn the_first_confirmed_response_need_not_be_the_best_one() {
    let rows = derived(&[("2024-03-01", "PR"), ("2024-05-01", "PR"), ("2024-07-01", "CR"), ("2024-09-01", "CR")]);
    assert_eq!(rows["CRSP"], of("Y", Some(date(2024, 3, 1))));
    assert_eq!(rows["CBOR"], of("CR", Some(date(2024, 7, 1))));
}

#[test]
fn benefit_begins_with_stable_disease_that_lasted() {
    let rows = derived(&[("2024-02-01", "SD"), ("2024-03-01", "SD"), ("2024-05-01", "PR")]);
    assert_eq!(rows["CB"], of("Y", Some(date(2024, 3, 1))), "day 31 is too early, day 60 is not");
    assert_eq!(derived(&[("2024-02-01", "SD"), ("2024-03-01", "PD")])["CB"], of("N", None));
    assert_eq!(derived(&[("2024-02", "SD"), ("2024-05-01", "PD")])["CB"], of("NE", None), "day 31 to 59");
}
