//! Stacks that are right, and every way a stack can be wrong.

use super::*;
use crate::dicom::role::tests::header;
use imaging::Shape;

/// An oblique stack of `n` slices, 3 mm apart, in reverse order of position.
fn oblique(n: usize) -> Vec<SliceHeader> {
    let rotation = nalgebra::Rotation3::from_euler_angles(0.3, -0.2, 0.5);
    let (row, column) = (rotation * Vector3::x(), rotation * Vector3::y());
    let normal = row.cross(&column);
    (0..n)
        .rev()
        .map(|k| {
            let position = Vector3::new(-120.0, 33.0, 410.0) + normal * (3.0 * k as f64);
            let mut slice = header("CT", "oblique");
            slice.sop_instance_uid = format!("1.2.{k}");
            slice.position = Some(position.into());
            slice.orientation = Some([row.x, row.y, row.z, column.x, column.y, column.z]);
            // Rows are 0.9 mm apart, columns 0.6 mm.
            slice.pixel_spacing = Some([0.9, 0.6]);
            slice
        })
        .collect()
}

fn shift(slice: &mut SliceHeader, by: Vector3<f64>) {
    slice.position = slice.position.map(|p| (Vector3::from(p) + by).into());
}

fn code(slices: &[SliceHeader]) -> &'static str {
    stack(slices).map(|_| ()).unwrap_err().code()
}

#[test]
fn i_steps_along_the_row_with_the_column_spacing() {
    let slices = oblique(4);
    let stacked = stack(&slices).unwrap();
    assert!(stacked.notes.is_empty());
    let SliceStack { order, grid, reslice } = stacked.value;
    assert_eq!(reslice, None);
    assert_eq!(order, [3, 2, 1, 0]);
    assert_eq!(grid.shape(), Shape { ni: 5, nj: 4, nk: 4 });
    for (got, want) in grid.spacing_mm().iter().zip([0.6, 0.9, 3.0]) {
        assert!((got - want).abs() < 1e-12);
    }
    let row = Vector3::from_row_slice(&slices[0].orientation.unwrap()[..3]);
    assert!((grid.directions().column(0) - row).norm() < 1e-12);
    assert!(grid.voxel_to_patient().linear().determinant() > 0.0);
}

#[test]
fn a_tilted_gantry_becomes_upright_and_a_fallen_one_is_refused() {
    let leaning = |by: f64| {
        let mut slices = oblique(5);
        let column = Vector3::from_row_slice(&slices[0].orientation.unwrap()[3..]);
        for (n, slice) in slices.iter_mut().enumerate() {
            shift(slice, column * (3.0 * by * n as f64));
        }
        slices
    };
    let slices = leaning(0.3);
    let stacked = stack(&slices).unwrap();
    assert_eq!(stacked.notes[0].code, "gantry_tilt_resampled");
    assert!(stacked.notes[0].message.contains("16.70°"), "{}", stacked.notes[0].message);
    let SliceStack { order, grid, reslice } = stacked.value;
    let reslice = reslice.unwrap();
    // `oblique` is in reverse order, so that index 0 (the topmost) is shifted least: 4 slices · 0.9 mm are 4 rows of 0.9 mm.
    assert_eq!(order, [4, 3, 2, 1, 0]);
    assert_eq!(grid.shape(), Shape { ni: 5, nj: 8, nk: 5 });
    let lowest = Vector3::from(slices[4].position.unwrap());
    let directions = grid.directions();
    assert!((directions.column(2) - directions.column(0).cross(&directions.column(1))).norm() < 1e-12);
    assert!((grid.spacing_mm()[2] - 3.0).abs() < 1e-9);
    // Every slice's first voxel lies where its header says.
    for (k, &n) in order.iter().enumerate() {
        let [i, j] = reslice.shifts[k];
        let at = grid.voxel_to_patient().apply(imaging::Point::new(i, j, k as f64)).coords;
        assert!((at - Vector3::from(slices[n].position.unwrap())).norm() < 1e-9, "{k} {at} {lowest}");
    }
    match stack(&leaning(0.7)).unwrap_err() {
        GeometryError::Tilted { degrees, .. } => assert!((degrees - 0.7_f64.atan().to_degrees()).abs() < 1e-9),
        other => panic!("{other}"),
    }
}

#[test]
fn few_missing_and_slightly_uneven_slices_are_interpolated_within_bounds() {
    let mut one_of_forty = oblique(40);
    one_of_forty.remove(10);
    let stacked = stack(&one_of_forty).unwrap();
    assert_eq!(stacked.notes[0].code, "missing_slice_interpolated");
    assert_eq!(stacked.value.grid.shape().nk, 40);
    // Removed was the 11th from the top: plane 29 from below, between acquired 28 and 29.
    let plane = stacked.value.reslice.unwrap().planes[29];
    assert_eq!((plane.lower, plane.upper), (28, 29));
    assert!((plane.weight_of_upper - 0.5).abs() < 1e-6);
    let mut three_of_forty = oblique(40);
    for n in [30, 20, 10] {
        three_of_forty.remove(n);
    }
    assert_eq!(code(&three_of_forty), "missing_slice");
    // 3 mm apart, then 2 mm: onto 2 mm; and with a gap beyond 6 mm: refused.
    let normal = |slices: &[SliceHeader]| {
        let [a, b, c, d, e, f] = slices[0].orientation.unwrap();
        Vector3::new(a, b, c).cross(&Vector3::new(d, e, f))
    };
    let mut variable = oblique(10);
    let up = normal(&variable);
    for (n, slice) in variable.iter_mut().take(5).enumerate() {
        shift(slice, up * -(5.0 - n as f64));
    }
    let stacked = stack(&variable).unwrap();
    assert_eq!(stacked.notes[0].code, "uneven_slices_interpolated");
    let grid = stacked.value.grid;
    assert!((grid.spacing_mm()[2] - 2.0).abs() < 1e-9);
    assert_eq!(grid.shape().nk, 12);
    shift(&mut variable[0], up * 5.0);
    assert_eq!(code(&variable), "uneven_slices");
}

#[test]
fn gaps_and_repeats() {
    let mut missing = oblique(6);
    missing.remove(2);
    missing.remove(2);
    match stack(&missing).unwrap_err() {
        GeometryError::MissingSlice { n_missing: 2, gap_mm, .. } => assert!((gap_mm - 9.0).abs() < 1e-9),
        other => panic!("{other}"),
    }
    let mut uneven = oblique(6);
    shift(&mut uneven[2], Vector3::new(0.0, 0.0, 0.8));
    assert_eq!(code(&uneven), "uneven_slices");
    let mut repeated = oblique(4);
    repeated.push(SliceHeader { sop_instance_uid: "1.2.99".into(), ..repeated[0].clone() });
    assert_eq!(code(&repeated), "duplicate_position");
}

#[test]
fn rounding_of_positions_is_taken_and_said() {
    let mut slices = oblique(6);
    let first = slices[5].orientation.unwrap();
    let normal = Vector3::from_row_slice(&first[..3]).cross(&Vector3::from_row_slice(&first[3..]));
    shift(&mut slices[2], normal * 0.04);
    let stacked = stack(&slices).unwrap();
    assert_eq!(stacked.notes[0].code, "slightly_uneven_slices");
    assert!(stacked.notes[0].message.contains("0.040 mm"), "{}", stacked.notes[0].message);
}

#[test]
fn slices_that_do_not_belong_together() {
    type Change = fn(&mut SliceHeader);
    let changes: [(Change, &str); 6] = [
        (|s| s.rows = 8, "mixed_slices"),
        (|s| s.pixel_spacing = Some([0.6, 0.9]), "mixed_slices"),
        (|s| s.orientation = Some([1.0, 0.0, 0.0, 0.0, 1.0, 0.0]), "mixed_slices"),
        (|s| s.frame_uid = None, "mixed_slices"),
        (|s| s.position = None, "missing_attribute"),
        (|s| s.n_frames = 40, "multi_frame"),
    ];
    for (change, expected) in changes {
        let mut slices = oblique(4);
        change(&mut slices[3]);
        assert_eq!(code(&slices), expected);
    }
    let mut skewed = oblique(1);
    skewed[0].orientation = Some([1.0, 0.0, 0.0, 0.5, 0.5, 0.0]);
    assert_eq!(code(&skewed), "bad_orientation");
    assert_eq!(code(&[]), "no_slices");
}

#[test]
fn one_slice_needs_its_thickness() {
    let mut slices = oblique(1);
    let stacked = stack(&slices).unwrap();
    assert_eq!(stacked.notes[0].code, "single_slice");
    assert!((stacked.value.grid.spacing_mm()[2] - 3.0).abs() < 1e-12);
    slices[0].slice_thickness = None;
    assert_eq!(code(&slices), "single_slice");
}

#[test]
fn a_series_without_a_frame_gets_its_own() {
    let mut slices = oblique(3);
    for slice in &mut slices {
        slice.frame_uid = None;
    }
    let a = stack(&slices).unwrap();
    assert_eq!(a.notes[0].code, "no_frame_of_reference");
    for slice in &mut slices {
        slice.series_uid = "1.2.4".into();
    }
    assert_ne!(a.value.grid.frame(), stack(&slices).unwrap().value.grid.frame());
}
