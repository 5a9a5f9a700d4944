use super::*;
use crate::grid::{FrameId, Grid, Shape};
use crate::trunk::TrunkError;
use crate::volume::Volume;

/// A body of fat with a spine, an aorta of radius 10 mm and a vena cava, tilted and off centre; `blood` in HU.
fn trunk(blood: f32, n_slices: usize, with_bone: bool) -> Volume<f32> {
    let turn = *nalgebra::Rotation3::from_euler_angles(0.05, -0.1, 0.2).matrix();
    let shape = Shape { ni: 150, nj: 130, nk: n_slices };
    let grid =
        Grid::from_directions(shape, Point::new(-160.0, -140.0, -610.0), [2.1, 2.1, 5.0], turn, FrameId::new("ct"))
            .unwrap();
    let voxel_to_patient = *grid.voxel_to_patient();
    Volume::from_fn(grid, |at| {
        let p = voxel_to_patient.apply(at.center()).coords;
        let disc = |x: f64, y: f64, r: f64| (p.x - x).hypot(p.y - y) < r;
        let weave = 6.0 * ((at.i * 7 + at.j * 13 + at.k * 29) % 11) as f32 / 10.0 - 3.0;
        if !disc(0.0, 0.0, 120.0) {
            -1000.0
        } else if disc(14.0, 12.0, 10.0) || disc(-24.0, 14.0, 10.0) {
            blood * if p.x < 0.0 { 0.6 } else { 1.0 } + weave
        } else if with_bone && disc(-3.0, 52.0, 20.0) {
            // A shell of dense bone round uneven marrow.
            if disc(-3.0, 52.0, 17.0) { 150.0 + 15.0 * weave } else { 420.0 }
        } else if disc(55.0, 45.0, 26.0) || disc(-60.0, 45.0, 26.0) {
            55.0 + weave
        } else {
            -100.0 + weave
        }
    })
}

#[test]
fn blood_in_the_aorta_is_read_in_every_phase() {
    for blood in [42.0, 110.0, 160.0, 320.0] {
        let found = find_aorta(&Trunk::of(&trunk(blood, 20, true)).unwrap()).unwrap();
        assert!((found.hu - f64::from(blood)).abs() < 12.0, "{blood}: {found:?}");
        for center in &found.centers {
            assert!((center.coords.x - 14.0).hypot(center.coords.y - 12.0) < 3.0, "{center:?}");
        }
    }
}

#[test]
fn where_there_is_none_the_reason_is_said() {
    assert_eq!(Trunk::of(&trunk(160.0, 20, false).map(|v| v.min(150.0))).unwrap_err(), TrunkError::NoSpine);
    let short = find_aorta(&Trunk::of(&trunk(160.0, 6, true)).unwrap()).unwrap_err();
    assert!(matches!(short, AortaError::NotFound { found_mm } if found_mm < 40.0), "{short}");
    let fat = trunk(160.0, 20, true).map(|v| if (148.0..172.0).contains(v) { -100.0 } else { *v });
    let none = find_aorta(&Trunk::of(&fat).unwrap());
    assert!(none.as_ref().is_err_and(|e| e.to_string().contains("48 mm are needed")), "{none:?}");
}
