//! Calipers of the tables as lines on the image they were measured on.

use formats::dicom::write::LineToWrite;
use imaging::{Grid, Patient, Point};
use oncology::MeasurementRow;

use super::report::Measured;

/// The two ends of a caliper, `x y z; x y z` in LPS mm; `None` where there is none.
fn ends(row: &MeasurementRow) -> Option<[Point<Patient>; 2]> {
    let (start, end) = row.caliper_lps_mm.split_once(';')?;
    let point = |text: &str| {
        let numbers: Vec<f64> = text.split_whitespace().map(str::parse).collect::<Result<_, _>>().ok()?;
        let lps: [f64; 3] = numbers.try_into().ok()?;
        Some(Point::from(lps))
    };
    Some([point(start)?, point(end)?])
}

/// The slice a caliper lies in.
pub(super) fn slice_of(row: &MeasurementRow, grid: &Grid) -> Option<usize> {
    let [start, _] = ends(row)?;
    let k = grid.patient_to_voxel().apply(start).coords.z.round();
    (k >= 0.0 && k < grid.shape().nk as f64).then_some(k as usize)
}

/// A caliper on the image of its slice; in the patient where the slice was interpolated.
pub(super) fn line(row: &MeasurementRow, measured: &Measured<'_>) -> Option<LineToWrite> {
    let ends = ends(row)?;
    let k = slice_of(row, measured.grid)?;
    if !measured.visit.source.slices[k].is_acquired {
        return Some(LineToWrite::InPatient { ends, frame: measured.grid.frame().clone() });
    }
    // The centre of the first pixel is 0.5, 0.5 (PS3.3 C.18.6.1).
    let pixel = |p: Point<Patient>| {
        let voxel = measured.grid.patient_to_voxel().apply(p).coords;
        [voxel.x + 0.5, voxel.y + 0.5]
    };
    Some(LineToWrite::InImage { ends: ends.map(pixel), image: measured.slices[k].clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caliper_is_read_as_the_tables_write_it_and_nothing_else_is() {
        let row = |text: &str| MeasurementRow { caliper_lps_mm: text.to_owned(), ..blank() };
        let [start, end] = ends(&row("-10.25 3.00 400.10; 1.00 -2.00 398.00")).unwrap();
        assert_eq!((start.to_array(), end.to_array()), ([-10.25, 3.0, 400.1], [1.0, -2.0, 398.0]));
        for text in ["", "1 2 3", "1 2; 3 4", "a b c; 1 2 3"] {
            assert!(ends(&row(text)).is_none(), "{text}");
        }
    }

    fn blank() -> MeasurementRow {
        let visit: oncology::VisitId = "2024-03-01".parse().unwrap();
        MeasurementRow {
            patient_id: "P".to_owned(),
            lesion_id: "L1".to_owned(),
            date: visit.date(),
            study_day: 0,
            series_role: "ct".to_owned(),
            quantity: "long_axis".to_owned(),
            value: Some(1.0),
            unit: "mm".to_owned(),
            low: None,
            high: None,
            method: String::new(),
            evaluable: true,
            reason: String::new(),
            state: "present".to_owned(),
            caliper_lps_mm: String::new(),
            sop_instance_uid: String::new(),
            visit,
        }
    }
}
