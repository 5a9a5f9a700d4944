use imaging::{FrameId, Grid, Index3, LabelMap, Shape};
use jiff::civil::date;

use super::*;
use crate::stages::segment::instances;

/// Two outlines on an oblique grid: label 1 about voxel (5, 6, 4), label 2 about (14, 9, 4).
fn found() -> Found {
    let directions =
        [[0.894_003_2, -0.262_08, 0.363_417_6], [0.363_417_6, 0.898_56, -0.246_003_2], [-0.262_08, 0.352, 0.898_56]];
    let spacing = [2.0, 1.5, 4.0];
    let rows: [[f64; 4]; 4] = std::array::from_fn(|row| match row {
        3 => [0.0, 0.0, 0.0, 1.0],
        _ => std::array::from_fn(|c| if c == 3 { [-30.5, 12.25, -48.0][row] } else { directions[row][c] * spacing[c] }),
    });
    let shape = Shape { ni: 20, nj: 16, nk: 9 };
    let grid = Grid::new(shape, imaging::Affine::from_rows(rows).unwrap(), FrameId::new("f")).unwrap();
    let near =
        |at: Index3, c: [usize; 3]| at.i.abs_diff(c[0]) <= 2 && at.j.abs_diff(c[1]) <= 2 && at.k.abs_diff(c[2]) <= 1;
    let map =
        LabelMap::from_fn(grid.clone(), |at| if near(at, [5, 6, 4]) { 1 } else { 2 * u16::from(near(at, [14, 9, 4])) });
    let lesions = instances(&map, |_| (Organ::Unknown, LesionKind::Lesion));
    Found { lesions, lesion_map: map, ..Found::nothing(&grid, "imported_mask") }
}

fn seed(name: &str, voxel: [f64; 3], organ: &str, role: &str) -> SeedRecord {
    SeedRecord {
        patient_id: "P1".to_owned(),
        lesion_id: name.to_owned(),
        visit: oncology::VisitId::first(date(2024, 3, 1)),
        point: found().lesion_map.grid().voxel_to_patient().apply(Point::from(voxel)),
        organ: organ.to_owned(),
        role: role.to_owned(),
        line: 2,
    }
}

#[test]
fn a_mark_inside_an_outline_names_it_and_says_organ_kind_and_role() {
    let mut found = found();
    let mut notes = Vec::new();
    let seeds = [seed("T1", [14.0, 8.0, 4.0], "liver", "target"), seed("N1", [5.0, 6.0, 5.0], "", "Non-target; node")];
    let marked = lay(&seeds, &mut found, 10.0, &mut notes);
    assert_eq!((marked.by_label[&2].name.as_str(), marked.by_label[&2].role), ("T1", Some(LesionRole::Target)));
    assert_eq!((marked.by_label[&1].name.as_str(), marked.by_label[&1].role), ("N1", Some(LesionRole::NonTarget)));
    assert_eq!((found.lesions[0].kind, found.lesions[1].kind), (LesionKind::Node, LesionKind::Lesion));
    assert_eq!(found.lesions[1].organ, Organ::Liver);
    assert_eq!((marked.unmeasured, notes), (Vec::new(), Vec::new()));
}

#[test]
fn a_mark_beside_an_outline_takes_the_nearest_within_the_distance_and_says_so() {
    // Three voxels of 2 mm before the outline's first voxel.
    let beside = seed("T1", [0.0, 6.0, 4.0], "", "");
    for (max_distance_mm, is_taken) in [(6.1, true), (5.9, false)] {
        let mut notes = Vec::new();
        let marked = lay(std::slice::from_ref(&beside), &mut found(), max_distance_mm, &mut notes);
        assert_eq!(marked.by_label.contains_key(&1), is_taken, "{max_distance_mm}");
        let expected = if is_taken { "mark_outside_outline" } else { "mark_without_outline" };
        assert_eq!(notes[0].code, expected);
        assert!(notes[0].message.contains("6.0 mm"), "{}", notes[0].message);
    }
}

#[test]
fn marks_that_name_nothing_are_seen_and_not_measured() {
    let mut notes = Vec::new();
    let seeds = [
        seed("A", [5.0, 6.0, 4.0], "", ""),
        seed("B", [6.0, 6.0, 4.0], "", ""),
        seed("C", [60.0, 6.0, 4.0], "lung", "non_target"),
        seed("C", [5.0, 7.0, 4.0], "", ""),
    ];
    let marked = lay(&seeds, &mut found(), 3.0, &mut notes);
    assert_eq!(marked.by_label.len(), 1);
    let labels: Vec<u16> = marked.unmeasured.iter().map(|u| u.label).collect();
    assert_eq!(labels, [3, 4]);
    assert!(marked.unmeasured[0].reason.contains("in the outline of A"), "{}", marked.unmeasured[0].reason);
    assert!(marked.unmeasured[1].reason.contains("outside the measured image"), "{}", marked.unmeasured[1].reason);
    assert_eq!(
        notes.iter().map(|n| n.code.as_str()).collect::<Vec<_>>(),
        ["mark_twice", "mark_without_outline", "mark_without_outline"]
    );
}

#[test]
fn a_word_that_is_no_role_is_said_and_not_used() {
    let mut notes = Vec::new();
    let marked = lay(&[seed("A", [5.0, 6.0, 4.0], "", "primary")], &mut found(), 3.0, &mut notes);
    assert_eq!((marked.by_label[&1].role, notes[0].code.as_str()), (None, "mark_role"));
}
