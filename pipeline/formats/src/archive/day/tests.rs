use std::path::Path;

use imaging::{FrameId, Grid, Index3, Point, Shape, Volume};
use jiff::civil::DateTime;

use super::*;
use crate::archive::index;
use crate::dicom::write::{ModalityToWrite, SeriesToWrite, write_series};

/// Writes a small series of patient `id` in study `study`; `n` tells series apart.
fn series(root: &Path, id: &str, n: usize, (study, study_date): (&str, Date), acquired: DateTime) {
    let shape = Shape { ni: 5, nj: 4, nk: 3 };
    let turned = nalgebra::Rotation3::from_euler_angles(0.2, -0.3, 0.1);
    let origin = Point::new(-41.0, 12.5, 300.0 + n as f64);
    let grid =
        Grid::from_directions(shape, origin, [0.7, 0.9, 3.0], *turned.matrix(), FrameId::new(format!("1.9.{n}")));
    let volume = Volume::from_fn(grid.unwrap(), |Index3 { i, j, k }| (i + 10 * j + 100 * k) as f32 - 50.0);
    let to_write = SeriesToWrite {
        volume: &volume,
        modality: ModalityToWrite::Ct { kvp: 120.0, contrast: None },
        patient_id: id.to_owned(),
        patient_sex: None,
        patient_weight_kg: None,
        patient_height_m: None,
        study_uid: study.to_owned(),
        series_uid: format!("1.3.{n}"),
        sop_instance_uids: (0..3).map(|k| format!("1.3.{n}.{k}")).collect(),
        study_datetime: study_date.at(9, 0, 0, 0),
        acquisition_datetime: acquired,
        study_description: "Abdomen".to_owned(),
        series_description: "portal venous".to_owned(),
        series_number: n as u32,
        slice_thickness_mm: 3.0,
        image_type: ["ORIGINAL", "PRIMARY", "AXIAL"].map(str::to_owned).to_vec(),
        manufacturer: "test".to_owned(),
    };
    write_series(&root.join(format!("{id}/{n}")), &to_write).unwrap();
}

/// Day and number of series of each time point; then everything said of the series.
fn timepoints(root: &Path) -> (Vec<(String, usize)>, String) {
    let index = index(root).unwrap().value;
    let text = |d: Option<Date>| d.map_or("none".to_owned(), |d| d.to_string());
    let found =
        index.patients.iter().flat_map(|p| &p.timepoints).map(|t| (text(t.study_date), t.series.len())).collect();
    let said = index.series().flat_map(|s| s.row.reasons.clone()).collect::<Vec<_>>().join("\n");
    (found, said)
}

fn days(expected: &[(&str, usize)]) -> Vec<(String, usize)> {
    expected.iter().map(|(day, n)| ((*day).to_owned(), *n)).collect()
}

#[test]
fn two_days_under_one_study_date_are_two_time_points() {
    let folder = tempfile::tempdir().unwrap();
    let study = ("1.1", date(2024, 2, 3));
    series(folder.path(), "P", 1, study, date(2024, 2, 3).at(9, 10, 0, 0));
    series(folder.path(), "P", 2, study, date(2024, 2, 5).at(8, 0, 0, 0));
    let (found, said) = timepoints(folder.path());
    assert_eq!(found, days(&[("2024-02-03", 1), ("2024-02-05", 1)]));
    assert_eq!(said, "acquired on 2024-02-05, though its Study Date is 2024-02-03; it counts to 2024-02-05");
}

#[test]
fn split_studies_of_one_day_and_a_scan_after_midnight_are_one_time_point() {
    let folder = tempfile::tempdir().unwrap();
    series(folder.path(), "P", 1, ("1.1", date(2024, 2, 3)), date(2024, 2, 3).at(23, 50, 0, 0));
    series(folder.path(), "P", 2, ("1.1", date(2024, 2, 3)), date(2024, 2, 4).at(0, 10, 0, 0));
    series(folder.path(), "P", 3, ("1.2", date(2024, 2, 3)), date(2024, 2, 3).at(10, 0, 0, 0));
    let (found, said) = timepoints(folder.path());
    assert_eq!((found, said.as_str()), (days(&[("2024-02-03", 3)]), ""));
}

#[test]
fn shifted_dates_keep_their_intervals_or_give_no_date() {
    let folder = tempfile::tempdir().unwrap();
    // One of the two dates shifted by 700 days in all images: intervals are the same by either.
    series(folder.path(), "A", 1, ("1.1", date(2022, 3, 5)), date(2024, 2, 3).at(9, 0, 0, 0));
    series(folder.path(), "A", 2, ("1.2", date(2022, 4, 4)), date(2024, 3, 4).at(9, 0, 0, 0));
    let (found, said) = timepoints(folder.path());
    assert_eq!(found, days(&[("2022-03-05", 1), ("2022-04-04", 1)]));
    assert!(said.contains("lie 700 days apart, as in all images"), "{said}");
    // By different numbers of days: nobody knows when the images were taken.
    series(folder.path(), "A", 3, ("1.3", date(2022, 5, 5)), date(2024, 2, 3).at(9, 0, 0, 0));
    let (found, said) = timepoints(folder.path());
    assert_eq!(found, days(&[("none", 3)]));
    assert!(said.contains("mend the dates"), "{said}");
}

fn stated(study: Option<Date>, acquired: Option<Date>, series: Option<Date>) -> Stated {
    Stated { study, acquired: acquired.map(|date| Acquired { date, hour: None }), series }
}

#[test]
fn a_missing_study_date_is_taken_from_the_scan_or_from_nowhere() {
    let day = Some(date(2024, 2, 3));
    for (stated, expected, said) in [
        (stated(None, day, None), day, true),
        (stated(None, None, day), day, true),
        (stated(None, None, None), None, false),
        (stated(day, None, Some(date(2024, 2, 9))), day, false),
        // A day later without a time of day: not known to be the same night.
        (stated(day, Some(date(2024, 2, 4)), None), Some(date(2024, 2, 4)), true),
    ] {
        let found = day_of(&stated, false);
        assert_eq!((found.date, found.remark.is_some()), (expected, said), "{stated:?}");
    }
}

#[test]
fn the_day_a_structure_set_was_drawn_is_no_day_of_a_scan() {
    let drawn = SliceHeader { acquisition_date: Some(date(2009, 10, 18)), ..SliceHeader::blank("RTSTRUCT") };
    assert_eq!(acquired(&drawn), None);
    let image = SliceHeader { rows: 4, columns: 5, modality: "CT".to_owned(), ..drawn };
    assert_eq!(acquired(&image), Some((date(2009, 10, 18), None)));
}
