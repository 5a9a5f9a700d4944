use super::*;
use crate::grid::{FrameId, Grid};
use crate::space::Point;

/// What one kidney is made of, HU: cortex, medulla, sinus.
type Kidney = [f32; 3];

/// A body of fat with a spine, kidneys of cortex, medulla and sinus, and a liver that touches the right one; tilted, off centre.
fn trunk(left: Option<Kidney>, right: Option<Kidney>) -> Trunk {
    let turn = *nalgebra::Rotation3::from_euler_angles(0.04, -0.06, 0.15).matrix();
    let shape = Shape { ni: 150, nj: 130, nk: 36 };
    let origin = Point::new(-155.0, -140.0, -610.0);
    let grid = Grid::from_directions(shape, origin, [2.1, 2.1, 5.0], turn, FrameId::new("ct")).unwrap();
    let voxel_to_patient = *grid.voxel_to_patient();
    let ct = Volume::from_fn(grid, |at| {
        let p = voxel_to_patient.apply(at.center()).coords;
        let disc = |x: f64, y: f64, r: f64| (p.x - x).hypot(p.y - y) < r;
        let weave = 6.0 * ((at.i * 7 + at.j * 13 + at.k * 29) % 11) as f32 / 10.0 - 3.0;
        let of_kidney = |x: f64, [cortex, medulla, sinus]: Kidney| {
            let level = ((p.x - x) / 26.0).hypot((p.y - 30.0) / 24.0).hypot((p.z + 525.0) / 52.0);
            match level {
                l if l < 0.25 => Some(sinus),
                l if l < 0.7 => Some(medulla),
                l if l < 1.0 => Some(cortex),
                _ => None,
            }
        };
        let kidney = left.and_then(|k| of_kidney(66.0, k)).or_else(|| right.and_then(|k| of_kidney(-68.0, k)));
        if !disc(0.0, 0.0, 120.0) {
            -1000.0
        } else if disc(-3.0, 52.0, 20.0) {
            if disc(-3.0, 52.0, 17.0) { 150.0 + 15.0 * weave } else { 420.0 }
        } else if let Some(hu) = kidney {
            hu + weave
        } else if p.x < -20.0 && disc(-60.0, -30.0, 50.0) {
            105.0 + weave
        } else {
            -100.0 + weave
        }
    });
    Trunk::of(&ct).unwrap()
}

fn read(left: Option<Kidney>, right: Option<Kidney>) -> Result<Kidneys, KidneysError> {
    find_kidneys(&trunk(left, right), 150.0)
}

#[test]
fn cortex_and_medulla_are_read_where_they_are_drawn() {
    for [cortex, medulla] in [[180.0, 75.0], [185.0, 165.0], [150.0, 150.0]] {
        let kidney = Some([cortex, medulla, -90.0]);
        let found = read(kidney, kidney).unwrap();
        assert_eq!(found.n_kidneys, 2);
        assert!((found.cortex_hu - f64::from(cortex)).abs() < 15.0, "{cortex} {medulla}: {found:?}");
        assert!((found.medulla_hu - f64::from(medulla)).abs() < 15.0, "{cortex} {medulla}: {found:?}");
        assert!(found.excreted_ml < 0.1, "{:.1} ml of nothing", found.excreted_ml);
    }
}

#[test]
fn medium_in_the_pelvis_is_measured() {
    let kidney = Some([150.0, 150.0, 600.0]);
    let found = read(kidney, kidney).unwrap();
    // Two balls of a quarter of the kidney's axes: 2 · 4/3 · π · 6.5 · 6 · 13 mm³ = 4.2 ml; all round them a voxel holds a part.
    assert!((3.0..8.0).contains(&found.excreted_ml), "{:.1} ml", found.excreted_ml);
    assert!((found.medulla_hu - 150.0).abs() < 15.0, "{:.0} HU", found.medulla_hu);
}

#[test]
fn one_kidney_is_enough_and_two_that_differ_are_not_believed() {
    let kidney = Some([180.0, 160.0, -90.0]);
    assert_eq!(read(kidney, None).unwrap().n_kidneys, 1);
    let bright = Some([250.0, 240.0, -90.0]);
    assert!(matches!(read(bright, kidney).unwrap_err(), KidneysError::Differ { apart_hu } if apart_hu > 60.0));
}

#[test]
fn without_medium_or_kidneys_none_is_found() {
    let plain = Some([34.0, 32.0, -90.0]);
    assert_eq!(read(plain, plain).unwrap_err(), KidneysError::NotFound);
    assert_eq!(read(None, None).unwrap_err(), KidneysError::NotFound);
}
