use std::collections::BTreeSet;

use jiff::civil::{Date, date};

use super::*;
use crate::cohort::{AssessmentRow, MeasurementRow};
use crate::criteria::table::CriterionTable;
use crate::sdtm::{TrRow, TuRow, assess_sdtm};
use crate::visit_id::VisitId;

fn lesion(id: &str, kind: &str, role: &str, first_seen: Date) -> LesionRow {
    LesionRow {
        patient_id: "P1".to_owned(),
        lesion_id: id.to_owned(),
        tracking_uid: format!("2.25.{id}"),
        organ: "liver".to_owned(),
        kind: kind.to_owned(),
        role: role.to_owned(),
        first_seen_date: first_seen,
        state: "present".to_owned(),
        x_mm: 0.0,
        y_mm: 0.0,
        z_mm: 0.0,
        source: "imported_mask".to_owned(),
        first_seen_visit: VisitId::first(first_seen),
    }
}

fn measured(id: &str, day: i64, quantity: &str, value: Option<f64>, state: &str, reason: &str) -> MeasurementRow {
    MeasurementRow {
        patient_id: "P1".to_owned(),
        lesion_id: id.to_owned(),
        date: on(day),
        study_day: day,
        series_role: "ct_portal_venous".to_owned(),
        quantity: quantity.to_owned(),
        value,
        unit: "mm".to_owned(),
        low: None,
        high: None,
        method: String::new(),
        evaluable: value.is_some(),
        reason: reason.to_owned(),
        state: state.to_owned(),
        caliper_lps_mm: String::new(),
        sop_instance_uid: String::new(),
        visit: VisitId::first(on(day)),
    }
}

fn on(day: i64) -> Date {
    date(2024, 1, 10).checked_add(jiff::Span::new().days(day)).unwrap()
}

/// A table as the reader of SDTM sees it.
fn read<T>(table: &SdtmTable, from: impl Fn(&dyn Fn(&str) -> Option<&'static str>) -> T) -> Vec<T> {
    let row = |cells: &Vec<String>| {
        let cells: Vec<&'static str> = cells.iter().map(|cell| &*cell.clone().leak()).collect();
        from(&|name: &str| table.columns.iter().position(|column| *column == name).map(|at| cells[at]))
    };
    table.rows.iter().map(row).collect()
}

#[test]
fn what_is_written_is_assessed_as_the_images_were() {
    let lesions = [
        lesion("L1", "lesion", "target", on(0)),
        lesion("L2", "node", "target", on(0)),
        lesion("L3", "lesion", "not_recorded", on(0)),
        lesion("L4", "lesion", "new", on(120)),
    ];
    let rows = [
        // Before baseline: no visit of the assessment.
        measured("L1", -20, "long_axis", Some(28.0), "present", ""),
        measured("L1", 0, "long_axis", Some(30.004), "present", ""),
        measured("L1", 0, "short_axis", Some(21.0), "present", ""),
        measured("L2", 0, "long_axis", Some(25.0), "present", ""),
        measured("L2", 0, "short_axis", Some(18.0), "present", ""),
        measured("L3", 0, "long_axis", Some(4.0), "present", ""),
        // Two pieces make one number; the rows of each are not told.
        measured("L1", 60, "long_axis", Some(19.5), "present", "in 2 pieces: 12 + 7.5 mm, added"),
        measured("L1", 60, "long_axis_piece_1", Some(12.0), "present", ""),
        measured("L1", 60, "long_axis_piece_2", Some(7.5), "present", ""),
        measured("L2", 60, "short_axis", Some(12.0), "present", ""),
        measured("L1", 90, "long_axis", None, "not_evaluable", "the place was not imaged"),
        measured("L2", 90, "short_axis", Some(12.0), "present", ""),
        measured("L1", 120, "long_axis", Some(0.0), "absent", ""),
        measured("L2", 120, "short_axis", Some(9.0), "present", ""),
        measured("L4", 120, "long_axis", Some(14.0), "present", ""),
    ];
    let tu = tu_table("trial", &lesions, &rows, &[]);
    let tr = tr_table("trial", &lesions, &rows, &[]);
    assert_eq!(tu.rows.len(), 3);
    assert!(tr.rows.iter().all(|row| row.len() == tr.columns.len() && row[4] != "L3"));
    let tu = read(&tu, |column| TuRow::from_columns(|name| column(name)).unwrap());
    let tr = read(&tr, |column| TrRow::from_columns(|name| column(name)).unwrap());
    let found = assess_sdtm(&tu, &tr, &CriterionTable::built_in("recist_1_1").unwrap());
    let told: Vec<(&str, i64, Option<f64>, &str)> = found
        .iter()
        .map(|a| (a.visit.as_str(), *a.study_day.value().unwrap(), a.sum_mm.value().copied(), a.overall.as_str()))
        .collect();
    assert_eq!(told, [("DAY 60", 60, Some(31.5), "PR"), ("DAY 90", 90, None, "NE"), ("DAY 120", 120, Some(9.0), "PD")]);
    assert_eq!(found[0].baseline_mm.value(), Some(&48.0));
    assert!(found[1].why.contains("the place was not imaged"), "{}", found[1].why);
}

/// A measured non-target is there whatever is measured of it, a node below 10 mm is normal, and what is perhaps no new lesion is equivocal.
#[test]
fn non_targets_and_doubts_are_assessed_as_the_images_were() {
    let lesions = [
        lesion("L1", "lesion", "target", on(0)),
        lesion("L2", "lesion", "non_target", on(0)),
        lesion("L3", "node", "non_target", on(0)),
        lesion("L4", "lesion", "new", on(60)),
    ];
    let mut rows = Vec::new();
    for (day, target, other, node, new) in [
        (0, (30.0, "present"), (8.0, "present"), (12.0, "present"), None),
        (60, (28.0, "present"), (8.0, "uncertain"), (12.0, "present"), Some((25.0, "uncertain"))),
        (120, (0.0, "absent"), (0.0, "absent"), (9.0, "present"), Some((0.0, "absent"))),
        (180, (0.0, "absent"), (0.0, "absent"), (9.0, "present"), Some((25.0, "present"))),
    ] {
        let one = |id: &str, quantity: &str, (mm, state): (f64, &str)| measured(id, day, quantity, Some(mm), state, "");
        rows.extend([one("L1", "long_axis", target), one("L2", "long_axis", other)]);
        rows.extend([one("L3", "long_axis", (15.0, node.1)), one("L3", "short_axis", node)]);
        rows.extend(new.map(|new| one("L4", "long_axis", new)));
    }
    let told = |until: i64| {
        let rows: Vec<MeasurementRow> = rows.iter().filter(|row| row.study_day <= until).cloned().collect();
        let tu = tu_table("trial", &lesions, &rows, &[]);
        let tr = tr_table("trial", &lesions, &rows, &[]);
        let tu = read(&tu, |column| TuRow::from_columns(|name| column(name)).unwrap());
        let tr = read(&tr, |column| TrRow::from_columns(|name| column(name)).unwrap());
        let found = assess_sdtm(&tu, &tr, &CriterionTable::built_in("recist_1_1").unwrap());
        found.iter().map(|a| format!("{} {} {}", a.non_target, a.new_lesion, a.overall)).collect::<Vec<_>>()
    };
    assert_eq!(told(120), ["NON-CR/NON-PD E SD", "CR N CR"]);
    // Seen for sure at last, it is new from its first sight on.
    assert_eq!(told(180)[0], "NON-CR/NON-PD Y PD");
}

fn response(visit: VisitId, day: i64, target: &str, overall: &str) -> AssessmentRow {
    AssessmentRow {
        patient_id: "P1".to_owned(),
        criterion: "recist_1_1".to_owned(),
        date: visit.date(),
        study_day: day,
        sum_mm: None,
        baseline_mm: None,
        nadir_mm: None,
        target: target.to_owned(),
        non_target: "NA".to_owned(),
        new_lesion: "N".to_owned(),
        overall: overall.to_owned(),
        why: String::new(),
        flips_if: String::new(),
        ablated_target: String::new(),
        next_target: String::new(),
        next_target_mm: None,
        sum_half_width_mm: None,
        within_error: None,
        over_selections: String::new(),
        n_selections: None,
        non_target_seen: None,
        visit,
    }
}

/// Planning (baseline) and control scan of day 0, a control visit at day 60: same date, another VISITNUM, and who
/// assesses the tables again finds no response at the control.
#[test]
fn two_visits_of_a_day_share_the_date_and_not_the_number() {
    let (planning, later) = (VisitId::first(on(0)), VisitId::first(on(60)));
    let control = planning.next_of_day();
    let at_control = |id: &str, quantity: &str, value: f64, state: &str| MeasurementRow {
        visit: control,
        ..measured(id, 0, quantity, Some(value), state, "")
    };
    let lesions = [
        lesion("L1", "lesion", "target", on(0)),
        lesion("L2", "lesion", "target", on(0)),
        LesionRow { first_seen_visit: control, ..lesion("L3", "lesion", "new", on(0)) },
    ];
    let rows = [
        measured("L1", 0, "long_axis", Some(30.0), "present", ""),
        measured("L2", 0, "long_axis", Some(20.0), "present", ""),
        at_control("L1", "viable_long_axis", 0.0, "ablated"),
        at_control("L2", "long_axis", 14.0, "present"),
        at_control("L3", "long_axis", 12.0, "present"),
        measured("L1", 60, "viable_long_axis", Some(0.0), "ablated", ""),
        measured("L2", 60, "long_axis", Some(19.0), "present", ""),
        measured("L3", 60, "long_axis", Some(13.0), "present", ""),
    ];
    let responses = [response(planning, 0, "BASELINE", ""), response(later, 60, "PR", "PD")];
    let tr = tr_table("trial", &lesions, &rows, &responses);
    let visits: BTreeSet<String> = tr.rows.iter().map(|row| row[12..15].join("|")).collect();
    let expected = ["1|BASELINE|2024-01-10", "2|DAY 0-2|2024-01-10", "3|DAY 60|2024-03-10"];
    assert_eq!(visits.iter().map(String::as_str).collect::<Vec<_>>(), expected);
    let of_control: Vec<&str> = tr.rows.iter().filter(|row| row[12] == "2").map(|row| row[7].as_str()).collect();
    assert_eq!(of_control, ["", "", "ABSENT", "", "", "PRESENT", "", "", "PRESENT"], "states, and no diameter");
    let tu = tu_table("trial", &lesions, &rows, &responses);
    assert_eq!(tu.rows[2][11..14], ["3", "DAY 60", "2024-03-10"], "new at the first response time point that shows it");
    let tu = read(&tu, |column| TuRow::from_columns(|name| column(name)).unwrap());
    let tr = read(&tr, |column| TrRow::from_columns(|name| column(name)).unwrap());
    let found = assess_sdtm(&tu, &tr, &CriterionTable::built_in("recist_1_1").unwrap());
    let told: Vec<(&str, Option<f64>, &str)> =
        found.iter().map(|a| (a.visit.as_str(), a.nadir_mm.value().copied(), a.overall.as_str())).collect();
    assert_eq!(told, [("DAY 0-2", Some(50.0), "NE"), ("DAY 60", Some(50.0), "PD")]);
}

#[test]
fn responses_are_rows_by_criterion_without_baseline() {
    let one = |day: i64, target: &str, overall: &str| response(VisitId::first(on(day)), day, target, overall);
    let table = rs_table("trial", &[], &[one(0, "BASELINE", "BASELINE"), one(60, "PR", "PR")]);
    let told: Vec<String> = table.rows.iter().map(|row| row.join("|")).collect();
    assert_eq!(
        told,
        [
            "trial|RS|P1|1|RECIST 1.1|TRGRESP|Target Response|PR|PR|ALGORITHM|2|DAY 60|2024-03-10|A2|61",
            "trial|RS|P1|2|RECIST 1.1|NEWLPROG|New Lesion Progression|N|N|ALGORITHM|2|DAY 60|2024-03-10|A2|61",
            "trial|RS|P1|3|RECIST 1.1|OVRLRESP|Overall Response|PR|PR|ALGORITHM|2|DAY 60|2024-03-10|A2|61",
        ]
    );
}

/// What a submission wants besides: method, groups, standard results, study day, and the sum; none of it changes what
/// is read back.
#[test]
fn rows_say_how_and_for_which_assessment_they_were_measured() {
    let lesions = [lesion("L1", "lesion", "target", on(0)), lesion("L2", "lesion", "target", on(0))];
    let rows = [
        measured("L1", 0, "long_axis", Some(30.0), "present", ""),
        measured("L2", 0, "long_axis", Some(20.5), "present", ""),
        measured("L1", 60, "long_axis", Some(9.0), "present", ""),
        measured("L2", 60, "long_axis", None, "not_evaluable", "cut off"),
    ];
    let assessed = |day: i64, sum_mm, target: &str| AssessmentRow {
        sum_mm,
        ..response(VisitId::first(on(day)), day, target, target)
    };
    let assessments = [assessed(0, Some(50.5), "BASELINE"), assessed(60, None, "NE")];
    let tu = tu_table("trial", &lesions, &rows, &assessments);
    assert_eq!(["TUMETHOD", "TUDY"].map(|name| tu.cell(&tu.rows[0], name)), ["CT SCAN", "1"]);
    let tr = tr_table("trial", &lesions, &rows, &assessments);
    let columns =
        ["TRLNKID", "TRTESTCD", "TRSTRESC", "TRSTRESN", "TRSTRESU", "TRGRPID", "TRLNKGRP", "TRMETHOD", "TRDY", "TRSEQ"];
    let told: Vec<String> = tr.rows.iter().map(|row| columns.map(|name| tr.cell(row, name)).join("|")).collect();
    assert_eq!(
        told,
        [
            "L1|LDIAM|30|30|mm|TARGET|A1|CT SCAN|1|1",
            "L1|TUMSTATE|PRESENT|||TARGET|A1|CT SCAN|1|2",
            "L2|LDIAM|20.5|20.5|mm|TARGET|A1|CT SCAN|1|3",
            "L2|TUMSTATE|PRESENT|||TARGET|A1|CT SCAN|1|4",
            "|SUMDIAM|50.5|50.5|mm|TARGET|A1||1|5",
            "L1|LDIAM|9|9|mm|TARGET|A2|CT SCAN|61|6",
            "L1|TUMSTATE|PRESENT|||TARGET|A2|CT SCAN|61|7",
            "L2|LDIAM||||TARGET|A2|CT SCAN|61|8",
            "L2|LPERP||||TARGET|A2|CT SCAN|61|9",
            "L2|TUMSTATE||||TARGET|A2|CT SCAN|61|10",
        ]
    );
    let rs = rs_table("trial", &rows, &assessments);
    assert_eq!(["RSLNKGRP", "RSDY"].map(|name| rs.cell(&rs.rows[0], name)), ["A2", "61"]);
    let read_tu = read(&tu, |column| TuRow::from_columns(|name| column(name)).unwrap());
    let read_tr = read(&tr, |column| TrRow::from_columns(|name| column(name)).unwrap());
    let found = assess_sdtm(&read_tu, &read_tr, &CriterionTable::built_in("recist_1_1").unwrap());
    assert_eq!((found[0].overall.as_str(), found[0].notes.len(), found[0].link_group.as_str()), ("NE", 0, "A2"));
    let own = assessments_of("recist_1_1", &rows, &assessments, &|_| Some(on(10)));
    assert_eq!((own.len(), own[0].visit.as_str(), own[0].origin_date.as_str()), (1, "DAY 60", "2024-01-20"));
}
