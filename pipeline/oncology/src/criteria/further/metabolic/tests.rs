//! Rules by uptake on rows of a run: values, doubts, conditions.

use super::super::tests::{DAYS, leading, measured, pet};
use super::super::{Further, FurtherInput, further_rows};
use crate::cohort::{AssessmentRow, MeasurementRow, PetReferenceRow};

fn of(at: usize, lesion: &str, quantity: &str, value: f64) -> MeasurementRow {
    measured(DAYS[at], lesion, quantity, Some(value), "present")
}

fn rows_by(id: &str, measurements: &[MeasurementRow], pets: &[PetReferenceRow], new_last: &str) -> Vec<AssessmentRow> {
    let leading = [leading(DAYS[0], ""), leading(DAYS[1], "N"), leading(DAYS[2], "N"), leading(DAYS[3], new_last)];
    let input = FurtherInput { targets: &[], measurements, leading: &leading, systemic: &[], pets };
    further_rows(&input, &Further::built_in(id).unwrap())
}

fn responses(id: &str, measurements: &[MeasurementRow], pets: &[PetReferenceRow], new_last: &str) -> Vec<String> {
    rows_by(id, measurements, pets, new_last).into_iter().skip(1).map(|row| row.overall).collect()
}

#[test]
fn the_hottest_lesion_decides_by_eortc() {
    let pets = [pet(DAYS[0]), pet(DAYS[1]), pet(DAYS[3])];
    let suv = |at, lesion, value| of(at, lesion, "suv_max", value);
    let rows = [suv(0, "L1", 8.0), suv(0, "L2", 5.0), suv(1, "L1", 5.0), suv(1, "L2", 6.0), suv(3, "L1", 11.0)];
    assert_eq!(responses("eortc_1999", &rows, &pets, "N"), ["PMR", "NE", "PMD"]);
    let gone = [suv(0, "L1", 8.0), measured(DAYS[1], "L1", "long_axis", Some(0.0), "absent")];
    assert_eq!(responses("eortc_1999", &gone, &pets, "Y"), ["CMR", "NE", "PMD"], "a new lesion needs no PET");
}

#[test]
fn a_lesion_without_a_value_leaves_only_progression_standing() {
    let pets = DAYS.map(pet);
    let unseen = |at: usize| measured(DAYS[at], "L2", "suv_max", None, "present");
    let suv = |at, lesion, value| of(at, lesion, "suv_max", value);
    let rows = [
        suv(0, "L1", 8.0),
        suv(0, "L2", 5.0),
        suv(1, "L1", 4.0),
        unseen(1),
        suv(2, "L1", 11.0),
        unseen(2),
        suv(3, "L1", 4.0),
        suv(3, "L2", 2.0),
    ];
    assert_eq!(responses("eortc_1999", &rows, &pets, "N"), ["NE", "PMD", "PMR"]);
    let lugano = rows_by("deauville", &rows, &pets, "N");
    assert_eq!(lugano.iter().skip(1).map(|row| row.overall.as_str()).collect::<Vec<_>>(), ["NE", "PMD", "PMR"]);
    assert!(lugano[1].why.contains("suv_max of L2: cut off"), "{}", lugano[1].why);
    let without = [suv(0, "L1", 8.0), unseen(0), suv(1, "L1", 4.0)];
    assert_eq!(responses("eortc_1999", &without, &pets, "N"), ["NE"; 3], "nor can a baseline be uncertain");
}

#[test]
fn percist_takes_the_hottest_of_each_scan_and_the_livers_reference() {
    let pets = DAYS.map(pet);
    let sul = |at, lesion, value| of(at, lesion, "sul_peak", value);
    // L1 falls, L2 is the hottest at the second scan; then all lie below the liver's mean of 1.6; then a new one of 2.6.
    let rows = [
        sul(0, "L1", 6.0),
        sul(0, "L2", 3.0),
        sul(1, "L1", 2.0),
        sul(1, "L2", 4.2),
        sul(2, "L1", 1.0),
        sul(2, "L2", 1.59),
        sul(3, "L1", 1.0),
        sul(3, "L2", 1.0),
        sul(3, "L3", 2.6),
    ];
    let told = rows_by("percist_1_0", &rows, &pets, "N");
    assert_eq!(told.iter().map(|row| row.overall.as_str()).collect::<Vec<_>>(), ["", "PMR", "CMR", "PMD"]);
    assert!(told[0].why.contains("SULpeak 6 ≥ 2.60 (1.5 × liver mean 1.6 + 2 × SD 0.1)"), "{}", told[0].why);
    assert!(told[3].why.contains("new lesion L3"), "{}", told[3].why);
    let faint = [&rows[..8], &[sul(3, "L3", 2.59)]].concat();
    let now = responses("percist_1_0", &faint, &pets, "Y").pop();
    assert_eq!(now.as_deref(), Some("PMR"), "a new lesion on CT whose uptake does not count");
}

#[test]
fn what_is_perhaps_no_lesion_is_neither_hottest_nor_new() {
    let pets = DAYS.map(pet);
    let of_l1 = |quantity: &'static str| (0..4).map(move |at| of(at, "L1", quantity, 6.0));
    let doubted = |at: usize, quantity: &str, value| measured(DAYS[at], "L2", quantity, Some(value), "uncertain");
    for (id, quantity) in [("percist_1_0", "sul_peak"), ("eortc_1999", "suv_max")] {
        let hot: Vec<MeasurementRow> = of_l1(quantity).chain([doubted(2, quantity, 8.0)]).collect();
        let told = rows_by(id, &hot, &pets, "N");
        let words: Vec<&str> = told[1..].iter().map(|row| row.overall.as_str()).collect();
        assert_eq!(words, ["SMD", "NE", "SMD"], "{id}");
        assert!(told[2].why.contains("L2, perhaps no lesion or no new one, takes up more (8)"), "{}", told[2].why);
        let at_baseline: Vec<MeasurementRow> = of_l1(quantity).chain([doubted(0, quantity, 8.0)]).collect();
        assert_eq!(responses(id, &at_baseline, &pets, "N"), ["NE"; 3], "{id}");
        let cool: Vec<MeasurementRow> = of_l1(quantity).chain([doubted(2, quantity, 5.0)]).collect();
        assert_eq!(responses(id, &cool, &pets, "N"), ["SMD"; 3], "{id}");
        let known = of_l1(quantity).chain([of(0, "L2", quantity, 3.0), doubted(1, quantity, 9.0)]).collect::<Vec<_>>();
        assert_eq!(
            responses(id, &known, &pets, "N")[0],
            "PMD",
            "of a lesion known before the identity alone is uncertain"
        );
    }
}

#[test]
fn glycolysis_of_all_lesions_progresses_where_the_hottest_does_not() {
    let pets = DAYS.map(pet);
    let peaks = |at| [of(at, "L1", "sul_peak", 6.0), of(at, "L2", "sul_peak", 3.0)];
    let tlg = |at, lesion, value| of(at, lesion, "tlg_suv4", value);
    let mut rows: Vec<MeasurementRow> = (0..4).flat_map(peaks).collect();
    // 100 SUVbw·ml; 175 is not more than 75 % above, 176 is; then one lesion has no value.
    rows.extend([tlg(0, "L1", 60.0), tlg(0, "L2", 40.0), tlg(1, "L1", 60.0), tlg(1, "L2", 115.0)]);
    rows.extend([tlg(2, "L1", 136.0), tlg(2, "L2", 40.0), tlg(3, "L1", 500.0)]);
    let told = rows_by("percist_1_0", &rows, &pets, "N");
    assert_eq!(told.iter().map(|row| row.overall.as_str()).collect::<Vec<_>>(), ["", "SMD", "PMD", "SMD"]);
    assert!(told[2].why.contains("SUL·ml (+76.0 %, > 75 %, voxels from SUV 4.0 on)"), "{}", told[2].why);
    assert!(told[3].why.contains("glycolysis not followed: tlg_suv4 of L2"), "{}", told[3].why);
    let cool = [rows[..8].to_vec(), vec![tlg(0, "L1", 0.0), tlg(0, "L2", 0.0), tlg(1, "L1", 9.0), tlg(1, "L2", 0.0)]];
    let told = rows_by("percist_1_0", &cool.concat(), &pets, "N");
    assert!(told[1].overall == "SMD" && told[1].why.contains("no voxel from SUV 4.0 on"), "{}", told[1].why);
}

#[test]
fn percist_refuses_what_cannot_be_compared_and_says_why() {
    let sul = |at, lesion, value| of(at, lesion, "sul_peak", value);
    let rows = [sul(0, "L1", 6.0), sul(1, "L1", 3.0), sul(2, "L1", 3.0), sul(3, "L1", 3.0)];
    let quiet = pet;
    let rested = PetReferenceRow { uptake_min: Some(75.1), ..quiet(DAYS[1]) };
    let hot = PetReferenceRow { mean: Some(2.375), ..quiet(DAYS[2]) };
    let other = PetReferenceRow { scanner: "B 2".to_owned(), ..quiet(DAYS[3]) };
    let told = rows_by("percist_1_0", &rows, &[quiet(DAYS[0]), rested, hot, other], "N");
    for (row, said) in
        told[1..].iter().zip(["15.1 min", "liver's SUL differs by 0.3", "another scanner (A 1, then B 2)"])
    {
        assert!(row.overall == "NE" && row.why.contains(said), "{}: {}", row.overall, row.why);
    }
    let cool = [sul(0, "L1", 2.59), sul(1, "L1", 6.0)];
    let told = rows_by("percist_1_0", &cool, &DAYS.map(pet), "N");
    assert!(told[1].overall == "NE" && told[1].why.contains("not measurable by PERCIST"), "{}", told[1].why);
    let lean_unknown = PetReferenceRow { sul_per_suv: None, sul_reason: "height".to_owned(), ..quiet(DAYS[0]) };
    let told = rows_by("percist_1_0", &rows, &[lean_unknown, quiet(DAYS[1])], "N");
    assert!(told[1].why.contains("no SUL: height") && told[2].why.contains("baseline: no SUL"), "{}", told[2].why);
}

#[test]
fn lugano_scores_against_the_livers_hottest_voxel() {
    let pets = DAYS.map(pet);
    let suv = |at, lesion, value| of(at, lesion, "suv_max", value);
    let rows = [
        suv(0, "L1", 10.0),
        suv(1, "L1", 2.2),
        suv(2, "L1", 4.4),
        suv(3, "L1", 9.0),
        measured(DAYS[1], "L2", "suv_max", Some(0.0), "absent"),
    ];
    let told = rows_by("deauville", &rows, &pets, "N");
    let said: Vec<_> = told.iter().map(|row| (row.target.as_str(), row.overall.as_str())).collect();
    assert_eq!(said, [("BASELINE", ""), ("Deauville 3", "CMR"), ("Deauville 4", "PMR"), ("Deauville 5", "NMR")]);
    assert!(told[1].why.contains("3 at most"), "{}", told[1].why);
    let new = [&rows[..4], &[suv(3, "L9", 2.21)]].concat();
    assert_eq!(responses("deauville", &new, &pets, "Y")[2], "PMD");
}
