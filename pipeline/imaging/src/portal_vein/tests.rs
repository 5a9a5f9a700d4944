use super::*;
use crate::grid::{FrameId, Grid, Shape};
use crate::space::Point;
use crate::volume::Volume;

/// A body of fat with a spine, a liver of 100 HU, and a tube of radius 7 mm that runs up into it; the liver's outline.
fn abdomen(vein: Option<f32>) -> (Trunk, Mask) {
    let turn = *nalgebra::Rotation3::from_euler_angles(0.04, -0.06, 0.1).matrix();
    let shape = Shape { ni: 150, nj: 130, nk: 40 };
    let origin = Point::new(-155.0, -140.0, -620.0);
    let grid = Grid::from_directions(shape, origin, [2.1, 2.1, 4.0], turn, FrameId::new("ct")).unwrap();
    let voxel_to_patient = *grid.voxel_to_patient();
    let place = |at: Index3| voxel_to_patient.apply(at.center()).coords;
    let in_liver = |at: Index3| {
        let p = place(at);
        p.x < -20.0 && ((p.x + 60.0) / 52.0).hypot((p.y + 10.0) / 60.0).hypot((p.z + 540.0) / 62.0) < 1.0
    };
    let from = nalgebra::Vector3::new(4.0, -8.0, -575.0);
    let along = nalgebra::Vector3::new(-48.0, -4.0, 32.0);
    let ct = Volume::from_fn(grid.clone(), |at| {
        let p = place(at);
        let part = ((p - from).dot(&along) / along.norm_squared()).clamp(0.0, 1.0);
        let weave = 6.0 * ((at.i * 7 + at.j * 13 + at.k * 29) % 11) as f32 / 10.0 - 3.0;
        let spine = (p.x + 3.0).hypot(p.y - 52.0);
        if p.x.hypot(p.y) > 120.0 {
            -1000.0
        } else if spine < 20.0 {
            if spine < 17.0 { 150.0 + 15.0 * weave } else { 420.0 }
        } else if let Some(hu) = vein.filter(|_| (p - from - along * part).norm() < 7.0) {
            hu + weave
        } else if in_liver(at) {
            100.0 + weave
        } else {
            -100.0 + weave
        }
    });
    (Trunk::of(&ct).unwrap(), Mask::from_fn(grid, in_liver))
}

fn find(vein: Option<f32>, lesions: impl Fn(&Mask) -> Mask) -> Result<PortalVein, PortalVeinError> {
    let (trunk, liver) = abdomen(vein);
    let lesions = lesions(&liver);
    find_portal_vein(&trunk, &Hilum { liver: &liver, lesions: &lesions, kidneys: None, aorta_hu: 160.0 })
}

fn none(liver: &Mask) -> Mask {
    liver.map(|_| false)
}

#[test]
fn the_blood_of_a_tube_at_the_hilum_is_read() {
    for hu in [125.0, 150.0, 180.0] {
        let found = find(Some(hu), none).unwrap();
        assert!((found.hu - f64::from(hu)).abs() < 10.0, "{hu}: {found:?}");
        assert!((30.0..75.0).contains(&found.length_mm), "{found:?}");
    }
}

#[test]
fn a_vein_without_medium_or_hidden_by_lesions_is_not_found() {
    assert_eq!(find(None, none).unwrap_err(), PortalVeinError::NotFound);
    assert_eq!(find(Some(104.0), none).unwrap_err(), PortalVeinError::NotFound);
    assert_eq!(find(Some(150.0), |liver| liver.map(|_| true)).unwrap_err(), PortalVeinError::NotFound);
}

#[test]
fn an_empty_outline_is_said() {
    let (trunk, liver) = abdomen(Some(150.0));
    let empty = none(&liver);
    let hilum = Hilum { liver: &empty, lesions: &empty, kidneys: None, aorta_hu: 160.0 };
    assert_eq!(find_portal_vein(&trunk, &hilum).unwrap_err(), PortalVeinError::NoLiver);
}
