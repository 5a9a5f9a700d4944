//! Balls in an organ with texture and noise, on one image or on both.

use nalgebra::{Matrix3, Vector3};

use super::*;
use crate::{FrameId, Grid, Mask, Mm, Patient, Point, Shape, Volume};

type V = Vector3<f64>;

const ORGAN_RADIUS_MM: f64 = 55.0;

fn grid() -> Grid {
    let shape = Shape { ni: 80, nj: 80, nk: 36 };
    let origin = Point::new(-60.0, -60.0, -54.0);
    Grid::from_directions(shape, origin, [1.5, 1.5, 3.0], Matrix3::identity(), FrameId::new("f")).unwrap()
}

/// A number in −1…1 from an integer and a key.
fn hash(n: usize, key: u64) -> f64 {
    let mut h = (n as u64 ^ key.wrapping_mul(0x9e37_79b9_7f4a_7c15)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    h = (h ^ (h >> 29)).wrapping_mul(0x94d0_49bb_1331_11eb);
    h ^= h >> 32;
    (h >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
}

fn ball(center: [f64; 3], radius_mm: f64) -> Mask {
    let grid = grid();
    Mask::from_fn(grid.clone(), |at| (grid.center(at).coords - V::from(center)).norm() <= radius_mm)
}

/// An organ of 110 HU with smooth texture, the same on every image, noise of its own, and things in it: where, how large, how much.
fn image(key: u64, things: &[([f64; 3], f64, f64)]) -> Volume<f32> {
    let grid = grid();
    let mut n = 0;
    Volume::from_fn(grid.clone(), |at| {
        let p = grid.center(at).coords;
        n += 1;
        if p.norm() > ORGAN_RADIUS_MM {
            return -100.0;
        }
        let texture = 5.0 * ((p.x / 9.0).sin() + (p.y / 7.0).cos() * (p.z / 11.0).sin());
        let noise = 20.0 * hash(n, key);
        let added = things.iter().filter(|(c, r, _)| (p - V::from(*c)).norm() <= *r).map(|thing| thing.2);
        (110.0 + texture + noise + added.sum::<f64>()) as f32
    })
}

/// What is said of an outline, given what was there now and before.
fn said(
    outline: &Mask,
    now: &[([f64; 3], f64, f64)],
    before: &[([f64; 3], f64, f64)],
) -> Result<Option<Doubt>, NotSeen> {
    let organ = ball([0.0; 3], ORGAN_RADIUS_MM);
    let scenes = [image(1, now), image(2, before)].map(|image| Scene::new(&image, &organ, []).unwrap());
    let pair = Pair {
        now: (&scenes[0], outline),
        before: (&scenes[1], outline),
        carry: Some::<Point<Patient>>,
        slack: Mm(2.0),
        is_alike: true,
    };
    let seen = look(&scenes[0], outline)?;
    let back = look_back(&pair, &seen)?;
    Ok(doubt(&seen, Some(&back), true))
}

const PLACE: [f64; 3] = [18.0, -12.0, 6.0];

#[test]
fn a_lesion_that_was_not_there_is_new_dark_or_bright() {
    for contrast in [-40.0, 35.0] {
        let found = said(&ball(PLACE, 6.0), &[(PLACE, 6.0, contrast)], &[]);
        assert_eq!(found, Ok(None), "{contrast}");
    }
}

#[test]
fn a_lesion_that_was_there_smaller_and_beside_its_place_is_not() {
    let beside = [PLACE[0] + 2.0, PLACE[1], PLACE[2] - 1.0];
    let found = said(&ball(PLACE, 7.0), &[(PLACE, 7.0, -45.0)], &[(beside, 4.5, -45.0)]);
    let Ok(Some(Doubt::StoodOutBefore { before, now })) = found else { panic!("{found:?}") };
    assert!(before < -15.0 && (now + 45.0).abs() < 6.0, "{before} {now}");
}

#[test]
fn an_outline_of_nothing_and_of_what_never_changed_says_so() {
    let found = said(&ball(PLACE, 6.0), &[], &[]);
    assert!(matches!(found, Ok(Some(Doubt::NothingStandsOut { .. } | Doubt::Unchanged { .. }))), "{found:?}");
    // A landmark that stands out on both images.
    let found = said(&ball(PLACE, 6.0), &[(PLACE, 6.0, 40.0)], &[(PLACE, 6.0, 40.0)]);
    assert!(matches!(found, Ok(Some(Doubt::StoodOutBefore { .. } | Doubt::Unchanged { .. }))), "{found:?}");
}

#[test]
fn water_and_the_end_of_a_strand_are_told_by_what_they_are() {
    let found = said(&ball(PLACE, 8.0), &[(PLACE, 8.0, -105.0)], &[]);
    let Ok(Some(Doubt::Water { core })) = found else { panic!("{found:?}") };
    assert!((core - 5.0).abs() < 8.0, "{core}");
    let strand: Vec<([f64; 3], f64, f64)> = vec![(PLACE, 5.0, 60.0)];
    let organ = ball([0.0; 3], ORGAN_RADIUS_MM);
    let mut filled = image(1, &[]);
    let grid = grid();
    for n in 0..grid.shape().n_voxels() {
        let p = grid.center(grid.shape().index(n)).coords - V::from(PLACE);
        if p.y.hypot(p.z) <= 4.0 && (-3.0..=30.0).contains(&-p.x) {
            filled.values_mut()[n] += strand[0].2 as f32;
        }
    }
    let scene = Scene::new(&filled, &organ, []).unwrap();
    let seen = look(&scene, &ball(PLACE, 5.0)).unwrap();
    let length = seen.runs_on.expect("the strand is followed");
    assert!((14.0..=19.0).contains(&length.0), "{length}");
    let lesion = Scene::new(&image(1, &[(PLACE, 5.0, 60.0)]), &organ, []).unwrap();
    assert_eq!(look(&lesion, &ball(PLACE, 5.0)).unwrap().runs_on, None);
}

#[test]
fn where_nothing_can_be_compared_nothing_is_said() {
    let outside = ball([58.0, 0.0, 0.0], 5.0);
    assert_eq!(said(&outside, &[], &[]), Err(NotSeen::NotInOrgan));
    let found = said(&ball([0.0; 3], 40.0), &[], &[]);
    assert!(matches!(found, Err(NotSeen::TooFewPlaces { .. } | NotSeen::NotInOrgan)), "{found:?}");
}

#[test]
fn an_outline_on_voxels_of_its_own_is_read_where_it_lies() {
    let organ = ball([0.0; 3], ORGAN_RADIUS_MM);
    let scene = Scene::new(&image(1, &[(PLACE, 6.0, -40.0)]), &organ, []).unwrap();
    let turn = *nalgebra::Rotation3::from_euler_angles(0.2, -0.1, 0.3).matrix();
    let shape = Shape { ni: 31, nj: 31, nk: 31 };
    let origin = Point::from_coords(V::from(PLACE) - turn * V::repeat(12.0));
    let own = Grid::from_directions(shape, origin, [0.8; 3], turn, FrameId::new("f")).unwrap();
    let turned = Mask::from_fn(own.clone(), |at| (own.center(at).coords - V::from(PLACE)).norm() <= 6.0);
    let [a, b] = [look(&scene, &ball(PLACE, 6.0)).unwrap(), look(&scene, &turned).unwrap()];
    assert!((a.contrast - b.contrast).abs() < 6.0 && (a.radius.0 - b.radius.0).abs() < 0.2, "{a:?} {b:?}");
}
