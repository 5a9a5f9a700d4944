//! New lesions as TU identifies them and TR follows them: no, perhaps, or unequivocally, visit by visit.
//!
//! Source: Eisenhauer et al. 2009 (RECIST 1.1) §4.3.5: an equivocal new lesion counts once it is confirmed, from its
//! first sight on; CDISC controlled terminology TUMSTATE (EQUIVOCAL, UNEQUIVOCAL, PRESENT, ABSENT).

use super::TuRow;
use super::reading::Reading;
use super::sizes::{coded, state};
use crate::criteria::response::NewLesionResponse::{self, Equivocal, No, Yes};
use crate::criteria::table::{CriterionTable, EquivocalNewLesion};
use crate::exact::Exact;
use crate::lesion::Size;

/// One new lesion over the visits of a reading, in their order.
pub(super) struct NewLesionCourse<'a> {
    pub(super) row: &'a TuRow,
    pub(super) states: Vec<NewLesionResponse>,
}

impl NewLesionCourse<'_> {
    /// The first visit at which the lesion counts.
    pub(super) fn from(&self) -> Option<usize> {
        self.states.iter().position(|state| *state == Yes)
    }
}

/// Every lesion TU calls new.
pub(super) fn new_lesion_courses<'a>(reading: &Reading<'a>, table: &CriterionTable) -> Vec<NewLesionCourse<'a>> {
    let course = |row: &'a TuRow| NewLesionCourse { row, states: states(reading, row, table) };
    reading.of_role("NEW").into_iter().map(course).collect()
}

fn states(reading: &Reading<'_>, row: &TuRow, table: &CriterionTable) -> Vec<NewLesionResponse> {
    let mut states = vec![No; reading.visits.len()];
    let Some(first_seen) = reading.visits.iter().position(|visit| visit.number == row.visit_num) else { return states };
    // TU calls the lesion new; only a word of TR makes it less than that.
    let mut before = Yes;
    for (at, response) in states.iter_mut().enumerate().skip(first_seen) {
        before = at_visit(reading, row, at, before);
        *response = before;
    }
    let confirmed = states.iter().position(|state| *state == Yes);
    if table.options.equivocal_new_lesion.value == EquivocalNewLesion::BackDate
        && let Some(confirmed) = confirmed
    {
        for state in states[..confirmed].iter_mut().filter(|state| **state == Equivocal) {
            *state = Yes;
        }
    }
    states
}

fn at_visit(reading: &Reading<'_>, row: &TuRow, at: usize, before: NewLesionResponse) -> NewLesionResponse {
    let visit = &reading.visits[at];
    let words: Vec<String> = reading.results_of(&row.link, visit).map(state).collect();
    let says = |word: &str| words.iter().any(|said| said.contains(word));
    let is_gone = |size: &Size| matches!(size, Size::Absent) || *size == Size::Measured(Exact::ZERO);
    let sizes: Vec<Size> = reading.results_of(&row.link, visit).map(coded).collect();
    if sizes.iter().any(is_gone) {
        No
    } else if says("UNEQUIVOCAL") {
        Yes
    } else if says("EQUIVOCAL") {
        Equivocal
    } else if says("PRESENT") || says("PROGRESS") || says("INCREAS") {
        Yes
    } else if before == No && sizes.iter().any(|size| !matches!(size, Size::NotEvaluable(_))) {
        // It was gone and is measured again.
        Yes
    } else {
        before
    }
}

/// The new lesions of a visit as one response with its reason.
pub(super) fn new_lesion_response(courses: &[NewLesionCourse<'_>], at: usize) -> (NewLesionResponse, String) {
    let named = |wanted: NewLesionResponse| -> Vec<&str> {
        courses.iter().filter(|one| one.states[at] == wanted).map(|one| one.row.link.as_str()).collect()
    };
    for (response, word) in [(Yes, "new lesion"), (Equivocal, "equivocal new lesion")] {
        let lesions = named(response);
        if !lesions.is_empty() {
            return (response, format!("{word} {}", lesions.join(", ")));
        }
    }
    (No, String::new())
}

#[cfg(test)]
mod tests {
    use crate::criteria::table::{CriterionTable, EquivocalNewLesion};
    use crate::sdtm::tests::{tr, tu};
    use crate::sdtm::{TrRow, assess_sdtm};

    /// New-lesion and overall response at three visits, with the state of N1 recorded at each.
    fn course(states: [&str; 3], dating: EquivocalNewLesion) -> Vec<(String, String)> {
        let mut table = CriterionTable::built_in("recist_1_1").unwrap();
        table.options.equivocal_new_lesion.value = dating;
        let dates = ["2024-01-01", "2024-03-01", "2024-05-01", "2024-07-01"];
        let mut rows: Vec<TrRow> =
            (0..4).map(|at| tr("S1", at, "T1", "50", dates[usize::try_from(at).unwrap()])).collect();
        for (at, state) in (1..).zip(states).filter(|(_, state)| !state.is_empty()) {
            let date = dates[usize::try_from(at).unwrap()];
            rows.push(TrRow { test: "TUMSTATE".to_owned(), unit: String::new(), ..tr("S1", at, "N1", state, date) });
        }
        let found = assess_sdtm(&[tu("S1", 0, "T1", "TARGET"), tu("S1", 1, "N1", "NEW")], &rows, &table);
        found.into_iter().map(|one| (one.new_lesion, one.overall)).collect()
    }

    fn words(states: [&str; 3], dating: EquivocalNewLesion) -> String {
        course(states, dating).iter().map(|(new, overall)| format!("{new} {overall}")).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn an_equivocal_lesion_counts_once_confirmed_and_from_its_first_sight() {
        use EquivocalNewLesion::{AtConfirmation, BackDate};
        assert_eq!(words(["EQUIVOCAL", "ABSENT", ""], BackDate), "E SD, N SD, N SD");
        assert_eq!(words(["EQUIVOCAL", "UNEQUIVOCAL", ""], BackDate), "Y PD, Y PD, Y PD");
        assert_eq!(words(["EQUIVOCAL", "PRESENT", ""], AtConfirmation), "E SD, Y PD, Y PD");
        assert_eq!(words(["EQUIVOCAL", "", ""], BackDate), "E SD, E SD, E SD");
        assert_eq!(words(["", "", "ABSENT"], BackDate), "Y PD, Y PD, N SD");
    }
}
