//! Series that hold several volumes, pictures among slices, and what cannot be told apart.

use super::*;
use crate::dicom::role::tests::header;
use jiff::civil::date;

/// Slice k of an upright axial stack, 3 mm apart.
fn slice(k: usize, uid: usize) -> SliceHeader {
    SliceHeader {
        sop_instance_uid: format!("1.2.{uid}"),
        position: Some([-100.0, -50.0, 3.0 * k as f64]),
        ..header("MR", "dynamic")
    }
}

/// `n_volumes` volumes of `n` slices; `change` makes slice k of volume v.
fn series(n_volumes: usize, n: usize, change: impl Fn(&mut SliceHeader, usize, usize)) -> Vec<SliceHeader> {
    let mut out = Vec::new();
    for k in 0..n {
        for v in 0..n_volumes {
            let mut s = slice(k, v * n + k);
            change(&mut s, v, k);
            out.push(s);
        }
    }
    out
}

fn names(parts: &[SeriesPart]) -> Vec<&str> {
    parts.iter().map(|p| p.name.as_deref().unwrap_or("-")).collect()
}

fn sizes(parts: &[SeriesPart]) -> Vec<usize> {
    parts.iter().map(|p| p.headers.len()).collect()
}

#[test]
fn one_volume_stays_whole() {
    let parts = volumes_of(series(1, 5, |_, _, _| {}));
    assert!(parts.notes.is_empty());
    assert_eq!((names(&parts.value), sizes(&parts.value)), (vec!["-"], vec![5]));
}

#[test]
fn b_values_and_their_directions() {
    let slices = series(4, 5, |s, v, k| {
        s.key.b_value = Some([0.0, 800.0, 800.0, 800.0][v]);
        s.key.diffusion_direction = (v > 0).then(|| [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]][v - 1]);
        // A number that runs with the slice must not confuse.
        s.acquisition_number = Some(k as i64);
    });
    let parts = volumes_of(slices).value;
    assert_eq!(sizes(&parts), [5, 5, 5, 5]);
    assert_eq!(parts[0].name.as_deref(), Some("b-value 0 s/mm²"));
    assert_eq!(parts[1].name.as_deref(), Some("b-value 800 s/mm², gradient [0.00, 0.00, 1.00]"));
}

#[test]
fn acquisitions_echoes_and_phases_in_time() {
    let acquisitions = volumes_of(series(2, 4, |s, v, _| s.acquisition_number = Some(v as i64 + 1))).value;
    assert_eq!(names(&acquisitions), ["acquisition 1", "acquisition 2"]);
    let echoes = volumes_of(series(3, 4, |s, v, _| s.echo_time_ms = Some(1.2 * (v + 1) as f64))).value;
    assert_eq!(names(&echoes)[1], "echo time 2.4 ms");
    // Times differ in every slice, but the volumes follow each other.
    let timed = volumes_of(series(3, 4, |s, v, k| {
        s.key.acquired = Some(date(2020, 1, 2).at(10, v as i8, k as i8, 0));
    }));
    assert_eq!(sizes(&timed.value), [4, 4, 4]);
    for (v, part) in timed.value.iter().enumerate() {
        assert!(part.headers.iter().all(|h| h.key.acquired.unwrap().minute() == v as i8));
    }
    // Interleaved times cannot be told apart: the series stays whole and is refused as a stack.
    let mixed = volumes_of(series(2, 4, |s, v, k| {
        s.key.acquired = Some(date(2020, 1, 2).at(10, 0, (2 * k + v) as i8, 0));
    }))
    .value;
    assert_eq!(sizes(&mixed), [8]);
    assert_eq!(stack(&mixed[0].headers).unwrap_err().code(), "duplicate_position");
}

#[test]
fn acquisitions_that_overlap_in_part_or_lie_between_each_other() {
    // Thorax 0..6 and abdomen 4..10 share two positions.
    let mut slices: Vec<SliceHeader> = (0..6).map(|k| slice(k, k)).collect();
    slices.extend((4..10).map(|k| SliceHeader { acquisition_number: Some(2), ..slice(k, 100 + k) }));
    let parts = volumes_of(slices).value;
    assert_eq!(sizes(&parts), [6, 6]);
    // The second acquisition lies 1 mm above the first: never one stack of uneven slices.
    let shifted = series(2, 5, |s, v, k| {
        s.acquisition_number = Some(v as i64);
        s.position = Some([-100.0, -50.0, 3.0 * k as f64 + v as f64]);
    });
    assert_eq!(names(&volumes_of(shifted).value), ["acquisition 0", "acquisition 1"]);
}

#[test]
fn two_days_under_one_series_are_two_volumes() {
    let slices = series(2, 4, |s, v, _| s.acquisition_date = Some(date(2020, 1, 1 + v as i8)));
    assert_eq!(names(&volumes_of(slices).value), ["acquired 2020-01-01", "acquired 2020-01-02"]);
}

#[test]
fn pictures_among_the_slices_are_left_out_with_a_note() {
    let mut slices = series(1, 5, |_, _, _| {});
    let localizer = SliceHeader {
        image_type: vec!["ORIGINAL".into(), "PRIMARY".into(), "LOCALIZER".into()],
        orientation: Some([1.0, 0.0, 0.0, 0.0, 0.0, -1.0]),
        ..slice(0, 77)
    };
    slices.insert(2, localizer);
    let mut report = SliceHeader { sop_class_uid: "1.2.840.10008.5.1.4.1.1.7".into(), ..slice(0, 78) };
    (report.position, report.orientation, report.pixel_spacing) = (None, None, None);
    slices.push(report);
    let coronal = SliceHeader { orientation: Some([1.0, 0.0, 0.0, 0.0, 0.0, -1.0]), ..slice(0, 79) };
    slices.push(coronal);
    let parts = volumes_of(slices);
    let codes: Vec<_> = parts.notes.iter().map(|n| n.code.as_str()).collect();
    assert_eq!(codes, ["localizer_left_out", "picture_left_out", "other_geometry_left_out"]);
    assert_eq!(sizes(&parts.value), [5]);
    assert!(stack(&parts.value[0].headers).is_ok());
}

#[test]
fn two_orientations_are_two_volumes() {
    let slices = series(2, 4, |s, v, k| {
        if v == 1 {
            s.orientation = Some([1.0, 0.0, 0.0, 0.0, 0.0, -1.0]);
            s.position = Some([-100.0, 3.0 * k as f64, 50.0]);
        }
    });
    assert_eq!(names(&volumes_of(slices).value), ["axial 5 x 4", "coronal 5 x 4"]);
}
