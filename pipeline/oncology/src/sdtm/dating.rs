//! The date of a progression whose visit spans several scan dates.
//!
//! Source: FDA 2018, Clinical Trial Endpoints for the Approval of Cancer Drugs, appendix 2; criteria conventions §1.9.

use super::reading::{Course, Reading};
use super::sizes::{coded, state};
use super::visits::Visit;
use super::{SdtmAssessment, TrRow, study_day};
use crate::criteria::immune_response::ImmuneResponse;
use crate::criteria::progression_date::{DatingRule, ProgressionBy, VisitScans, progression_date};
use crate::criteria::response::{NewLesionResponse, NonTargetResponse, OverallResponse, TargetResponse};
use crate::criteria::table::CriterionTable;
use crate::lesion::Size;
use crate::partial_date::Period;
use crate::time::Date;

/// Dates every progression of a reading by the scan the criterion names; the assessments are those of its later visits.
/// A date of a scan that is not complete leaves the visit's, with a note. Of iRECIST progression that is not
/// confirmed yet is dated so; the confirmation keeps the visit's date.
pub(super) fn date_progressions(
    assessments: &mut [SdtmAssessment],
    reading: &Reading<'_>,
    course: &Course<'_>,
    table: &CriterionTable,
) {
    let rule = table.options.progression_date.value;
    for (at, assessment) in assessments.iter_mut().enumerate() {
        let dated_so = [OverallResponse::Progressive.as_str(), ImmuneResponse::Unconfirmed.as_str()];
        if !dated_so.contains(&assessment.overall.as_str()) {
            continue;
        }
        match dated(reading, course, at, assessment, rule) {
            Some(date) => {
                assessment.date = date.to_string();
                (assessment.study_day, assessment.study_day_range) =
                    study_day(&assessment.baseline_date, &assessment.date);
            }
            None if spans_dates(reading, &reading.later()[at]) => {
                assessment.notes.push(
                    "the progression bears the date of the visit's last scan: the scan that shows it is not dated to the day"
                        .to_owned(),
                );
            }
            None => {}
        }
    }
}

fn dated(
    reading: &Reading<'_>,
    course: &Course<'_>,
    at: usize,
    assessment: &SdtmAssessment,
    rule: DatingRule,
) -> Option<Date> {
    let visit = &reading.later()[at];
    let targets = reading.of_role("TARGET");
    let measured = |row: &&TrRow| !matches!(coded(row), Size::NotEvaluable(_));
    let of_targets = targets.iter().flat_map(|target| reading.results_of(&target.link, visit)).filter(measured);
    let scans = VisitScans { target_dates: days(of_targets)?, other_dates: days_if_asked(reading, visit, rule)? };
    let mut causes = Vec::new();
    if assessment.target == TargetResponse::Progressive.as_str() {
        causes.push(ProgressionBy::TargetSum);
    }
    if assessment.non_target == NonTargetResponse::Progressive.as_str() {
        causes.push(ProgressionBy::SeenOn(non_target_date(reading, visit)?));
    }
    let at_all = reading.baseline + 1 + at;
    for lesion in course.new_lesions.iter().filter(|one| one.states[at_all] == NewLesionResponse::Yes) {
        // A lesion that TU alone names has no scan of its own.
        let seen = days(reading.results_of(&lesion.row.link, visit))?.into_iter().min();
        causes.push(ProgressionBy::SeenOn(seen.or_else(|| day(&visit.date))?));
    }
    causes.into_iter().filter_map(|by| progression_date(&scans, by, rule)).min()
}

/// The first scan that shows a non-target in progression; where none is called so, that shows one at all.
fn non_target_date(reading: &Reading<'_>, visit: &Visit) -> Option<Date> {
    let lesions = reading.of_role("NON-TARGET");
    let rows = || lesions.iter().flat_map(|lesion| reading.results_of(&lesion.link, visit));
    let called = days(rows().filter(|row| state(row).contains("PROGRESS")))?.into_iter().min();
    called.or(days(rows().filter(|row| state(row) == "PRESENT"))?.into_iter().min())
}

/// Dates of every scan of the visit, where the rule looks at all of them.
fn days_if_asked(reading: &Reading<'_>, visit: &Visit, rule: DatingRule) -> Option<Vec<Date>> {
    match rule {
        DatingRule::Fda => Some(Vec::new()),
        DatingRule::Earliest => days(reading.results_at(visit)),
    }
}

fn spans_dates(reading: &Reading<'_>, visit: &Visit) -> bool {
    reading.results_at(visit).any(|row| row.date != visit.date)
}

/// The dates of rows; `None` where one is not complete.
fn days<'a>(rows: impl Iterator<Item = &'a TrRow>) -> Option<Vec<Date>> {
    rows.map(|row| day(&row.date)).collect()
}

fn day(text: &str) -> Option<Date> {
    Period::read(text).and_then(Period::known)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluable::Evaluable;
    use crate::sdtm::rs_rows;
    use crate::sdtm::tests::{tr, tu};
    use crate::sdtm::{TuRow, assess_sdtm};

    /// A visit of three scans: the target on 1 and 9 March, the rest as given.
    fn visit(target: &str, others: &[(&str, &str, &str)], rule: DatingRule) -> SdtmAssessment {
        let mut table = CriterionTable::built_in("recist_1_1").unwrap();
        table.options.progression_date.value = rule;
        let mut lesions: Vec<TuRow> = vec![tu("S1", 0, "T1", "TARGET"), tu("S1", 0, "T2", "TARGET")];
        let mut rows = vec![tr("S1", 0, "T1", "50", "2024-01-01"), tr("S1", 0, "T2", "50", "2024-01-01")];
        rows.extend([tr("S1", 1, "T1", target, "2024-03-01"), tr("S1", 1, "T2", "50", "2024-03-09")]);
        for (link, word, date) in others {
            let is_new = link.starts_with('N');
            lesions.push(tu("S1", i32::from(is_new), link, if is_new { "NEW" } else { "NON-TARGET" }));
            let state = |visit, word: &str, date: &str| TrRow {
                test: "TUMSTATE".to_owned(),
                unit: String::new(),
                ..tr("S1", visit, link, word, date)
            };
            rows.extend((!is_new).then(|| state(0, "PRESENT", "2024-01-01")));
            rows.extend((!word.is_empty()).then(|| state(1, word, date)));
        }
        let found = assess_sdtm(&lesions, &rows, &table);
        let dates: Vec<String> =
            rs_rows(&found, &table).into_iter().map(|row| row.test.to_owned() + &row.date).collect();
        assert!(dates.contains(&"TRGRESP2024-03-09".to_owned()), "{dates:?}");
        found[0].clone()
    }

    #[test]
    fn a_progression_is_dated_by_the_scan_that_shows_it() {
        use DatingRule::{Earliest, Fda};
        let new = ("N1", "UNEQUIVOCAL", "2024-03-05");
        let grown = ("X1", "UNEQUIVOCAL PROGRESSION", "2024-03-03");
        let still = ("X1", "PRESENT", "2024-02-28");
        let cases: [(&str, &[_], DatingRule, &str); 7] = [
            ("90", &[still], Fda, "2024-03-09"),
            ("90", &[still], Earliest, "2024-02-28"),
            ("50", &[new, still], Fda, "2024-03-05"),
            ("90", &[new, still], Fda, "2024-03-05"),
            ("50", &[grown], Fda, "2024-03-03"),
            ("50", &[("N1", "", "")], Fda, "2024-03-09"),
            ("50", &[still], Earliest, "2024-03-09"),
        ];
        for (target, others, rule, date) in cases {
            let found = visit(target, others, rule);
            assert_eq!(found.date, date, "{target} {others:?} {rule:?}: {}", found.overall);
            assert!(found.notes.is_empty(), "{:?}", found.notes);
        }
        assert_eq!(visit("50", &[new, still], Fda).study_day, Evaluable::Value(64));
    }

    #[test]
    fn progression_that_is_not_confirmed_yet_is_dated_by_its_scan_too() {
        let table = CriterionTable::built_in("irecist").unwrap();
        let lesions = [tu("S1", 0, "T1", "TARGET"), tu("S1", 1, "N1", "NEW")];
        let rows = [
            tr("S1", 0, "T1", "50", "2024-01-01"),
            tr("S1", 1, "T1", "50", "2024-03-09"),
            tr("S1", 1, "N1", "12", "2024-03-05"),
        ];
        let found = assess_sdtm(&lesions, &rows, &table);
        assert_eq!((found[0].overall.as_str(), found[0].date.as_str()), ("iUPD", "2024-03-05"));
    }

    #[test]
    fn a_scan_without_a_day_leaves_the_date_of_the_visit() {
        let found = visit("50", &[("N1", "UNEQUIVOCAL", "2024-03")], DatingRule::Fda);
        assert_eq!((found.date.as_str(), found.notes.len()), ("2024-03-09", 1));
    }
}
