use super::*;
use crate::criteria::table::Confirmation;

pub(super) fn tu(subject: &str, visit: i32, link: &str, role: &str) -> TuRow {
    TuRow {
        subject: subject.to_owned(),
        visit_num: Exact::whole(visit),
        visit: format!("V{visit}"),
        link: link.to_owned(),
        role: role.to_owned(),
        location: "LIVER".to_owned(),
        evaluator: "INVESTIGATOR".to_owned(),
        evaluator_id: String::new(),
        accepted: String::new(),
    }
}

pub(super) fn tr(subject: &str, visit: i32, link: &str, result: &str, date: &str) -> TrRow {
    TrRow {
        subject: subject.to_owned(),
        visit_num: Exact::whole(visit),
        visit: format!("V{visit}"),
        link: link.to_owned(),
        link_group: String::new(),
        test: "LDIAM".to_owned(),
        result: result.to_owned(),
        unit: "mm".to_owned(),
        status: String::new(),
        reason_not_done: String::new(),
        evaluator: "INVESTIGATOR".to_owned(),
        evaluator_id: String::new(),
        accepted: String::new(),
        date: date.to_owned(),
    }
}

/// One target of a subject with (VISITNUM, size, date) at each visit, baseline first.
pub(crate) fn one_target(visits: &[(i32, &str, &str)], table: &CriterionTable) -> Vec<SdtmAssessment> {
    let rows: Vec<TrRow> = visits.iter().map(|(visit, size, date)| tr("S1", *visit, "T1", size, date)).collect();
    assess_sdtm(&[tu("S1", visits[0].0, "T1", "TARGET")], &rows, table)
}

fn recist() -> CriterionTable {
    CriterionTable::built_in("recist_1_1").expect("a built-in criterion")
}

fn told(assessments: &[SdtmAssessment]) -> Vec<(&str, &str)> {
    assessments.iter().map(|one| (one.visit.as_str(), one.overall.as_str())).collect()
}

#[test]
fn an_unscheduled_scan_counts_when_it_was_made() {
    let visits = [(1, "50", "2024-01-01"), (2, "30", "2024-03-01"), (99, "60", "2024-02-01"), (3, "28", "2024-05-01")];
    let found = one_target(&visits, &recist());
    assert_eq!(told(&found), [("V99", "PD"), ("V2", "PR"), ("V3", "PR")]);
    assert_eq!(found[0].study_day, Evaluable::Value(31));
    assert!(found[1].notes[0].contains("VISITNUM 2 (V2, 2024-03-01) comes after VISITNUM 99"), "{:?}", found[1].notes);
}

#[test]
fn what_lies_before_baseline_is_not_assessed() {
    let visits = [(1, "50", "2024-01-10"), (2, "60", "2024-01-02"), (3, "30", "2024-03-01")];
    let found = one_target(&visits, &recist());
    assert_eq!(told(&found), [("V2", "NE"), ("V3", "PR")]);
    assert_eq!(found[0].why, "dated before the baseline visit: not assessed");
    assert!(found[0].notes[0].contains("VISITNUM 1 (V1, 2024-01-10) comes after VISITNUM 2"), "{:?}", found[0].notes);
}

#[test]
fn the_day_of_a_partial_date_is_a_range() {
    let found = one_target(&[(1, "50", "2024-01-10"), (2, "30", "2024-03"), (3, "30", "")], &recist());
    assert_eq!(found[0].study_day, Evaluable::not("partial date: day 51 to 81"));
    assert_eq!(found[0].study_day_range, Some(DayRange { shortest: 51, longest: 81 }));
    assert_eq!(
        (found[1].study_day_range, found[1].study_day.reason()),
        (None, Some("no date of the visit or of baseline"))
    );
}

/// PR once and again, then 85 % of baseline: PR lasts if it was confirmed, else the response is SD.
#[test]
fn a_confirmation_that_hangs_on_a_missing_day_is_not_evaluable() {
    let mut table = recist();
    table.options.confirmation.value = Confirmation::Required;
    let last = |second: &str| {
        let visits = [(1, "100", "2024-01-01"), (2, "70", "2024-03-10"), (3, "70", second), (4, "83", "2024-07-01")];
        one_target(&visits, &table).pop().expect("three visits after baseline")
    };
    assert_eq!(last("2024-05").overall, "PR");
    assert_eq!(last("2024-03-20").overall, "SD");
    let open = last("2024-04");
    assert_eq!((open.overall.as_str(), open.target.as_str()), ("NE", "NE"));
    assert!(open.why.contains("the partial dates leave SD or PR open"), "{}", open.why);
}

#[test]
fn the_accepted_reading_is_that_of_the_visit_or_of_the_reader() {
    let table = recist();
    let at =
        |visit, accepted: &str| TrRow { accepted: accepted.to_owned(), ..tr("S1", visit, "T1", "30", "2024-03-01") };
    let target = tu("S1", 1, "T1", "TARGET");
    let marked = TuRow { accepted: "Y".to_owned(), ..target.clone() };
    let accepted = |tu: &TuRow, rows: &[TrRow]| -> Vec<bool> {
        assess_sdtm(std::slice::from_ref(tu), rows, &table).iter().map(|one| one.accepted).collect()
    };
    assert_eq!(accepted(&marked, &[at(1, ""), at(2, ""), at(3, "")]), [true, true]);
    assert_eq!(accepted(&marked, &[at(1, "Y"), at(2, ""), at(3, "Y")]), [false, true]);
    assert_eq!(accepted(&target, &[at(1, ""), at(2, "")]), [false]);
}
