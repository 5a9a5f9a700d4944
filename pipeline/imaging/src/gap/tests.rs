use nalgebra::Rotation3;

use super::*;
use crate::grid::Grid;
use crate::space::Vector;

const MIDDLE: Point<Patient> = Point::new(31.21, -16.83, 210.37);

/// A body rasterised by its voxel centres on an oblique grid of its own.
fn body(turn: f64, spacing: [f64; 3], holds: impl Fn(Point<Patient>) -> bool) -> Mask {
    let rotation = *Rotation3::from_euler_angles(0.1 + turn, -0.2, 0.3 - turn).matrix();
    let n = spacing.map(|s| (60.0 / s) as usize);
    let shape = Shape { ni: n[0], nj: n[1], nk: n[2] };
    let half = Vector3::from_fn(|a, _| spacing[a] * (n[a] as f64 - 1.0) / 2.0);
    let origin = Point::from_coords(MIDDLE.coords - rotation * half);
    let grid = Grid::from_directions(shape, origin, spacing, rotation, FrameId::new("f")).unwrap();
    Mask::from_fn(grid.clone(), |at| holds(grid.center(at)))
}

fn toward() -> Vector<Patient> {
    let v = Vector::new(0.5, -0.7, 0.6);
    v * (1.0 / v.norm())
}

/// Error of the gap between a ball of radius 8 at the middle and another body that is `gap_mm` away in the direction [`toward`].
fn error(spacing: [f64; 3], gap_mm: f64, other: &Mask) -> f64 {
    let lesion = body(0.0, spacing, |p| p.distance(MIDDLE) <= 8.0);
    let found = gap(&lesion, other).unwrap();
    let chord = found.nearest.unwrap();
    assert!((chord.length().0 - found.distance.0).abs() < 1e-12);
    let along = (chord.end - chord.start).dot(toward()) / chord.length().0;
    assert!(along > 0.9, "{spacing:?}, {gap_mm} mm: the nearest points lie in the right direction: {along}");
    let back = gap(other, &lesion).unwrap().distance.0;
    assert!((back - found.distance.0).abs() < 1e-6, "{spacing:?}, {gap_mm} mm: {back} back");
    found.distance.0 - gap_mm
}

#[test]
fn balls_and_walls_at_known_gaps() {
    let cases: [([f64; 3], f64, &[f64]); 3] =
        [([1.0; 3], 0.25, &[1.5, 6.3]), ([0.8, 0.8, 2.5], 0.4, &[4.0]), ([0.8, 0.8, 5.0], 1.25, &[4.0])];
    for (spacing, limit, gaps) in cases {
        for gap_mm in gaps.iter().copied() {
            let centre = MIDDLE + toward() * (8.0 + gap_mm + 6.0);
            let ball = body(0.4, spacing, |p| p.distance(centre) <= 6.0);
            let of_ball = error(spacing, gap_mm, &ball);
            let begins = 8.0 + gap_mm;
            let wall = body(0.4, spacing, |p| (begins..begins + 9.0).contains(&(p - MIDDLE).dot(toward())));
            let of_wall = error(spacing, gap_mm, &wall);
            for (what, off) in [("ball", of_ball), ("wall", of_wall)] {
                assert!(off.abs() < limit, "{spacing:?}, {gap_mm} mm from a {what}: {off}");
            }
        }
    }
}

#[test]
fn a_nerve_of_one_voxel_has_its_voxels_edges() {
    // A row of single voxels along the first axis of an oblique grid, 5 voxels of 1.2 mm beside a single one.
    let nerve = body(0.2, [2.0, 1.2, 3.0], |_| false);
    let (j, k) = (nerve.shape().nj / 2, nerve.shape().nk / 2);
    let row = Mask::from_fn(nerve.grid().clone(), |at| (at.j, at.k) == (j, k));
    let single = Mask::from_fn(nerve.grid().clone(), |at| (at.i, at.j, at.k) == (nerve.shape().ni / 2, j + 5, k));
    let found = gap(&single, &row).unwrap();
    assert!((found.distance.0 - 4.0 * 1.2).abs() < 1e-9, "{found:?}");
    let beside = Mask::from_fn(nerve.grid().clone(), |at| (at.i, at.j, at.k) == (4, j + 1, k));
    assert_eq!(gap(&beside, &row).unwrap().distance, Mm(0.0), "their voxels touch");
}

#[test]
fn bodies_that_share_tissue_or_hold_one_another_have_none() {
    let spacing = [0.9, 0.9, 2.0];
    let ball =
        |radius: f64, off: f64| body(off / 50.0, spacing, move |p| p.distance(MIDDLE + toward() * off) <= radius);
    assert_eq!(gap(&ball(8.0, 0.0), &ball(8.0, 12.0)).unwrap(), TOUCHING, "they overlap by 4 mm");
    assert_eq!(gap(&ball(5.0, 0.0), &ball(20.0, 3.0)).unwrap(), TOUCHING, "the small one lies inside");
    assert_eq!(gap(&ball(20.0, 3.0), &ball(5.0, 0.0)).unwrap(), TOUCHING, "the other way round");
    let shell = body(0.1, spacing, |p| (18.0..24.0).contains(&p.distance(MIDDLE)));
    // Of all directions, which are equally far, that counts in which both outlines are roughest.
    let inside = gap(&ball(8.0, 0.0), &shell).unwrap().distance.0;
    assert!((9.4..10.1).contains(&inside), "in the hollow of a shell: {inside}");
}

#[test]
fn a_thin_branch_of_a_thick_vessel_counts() {
    // The branch of one voxel is lost where a surface is blurred; it ends 6 voxels from the ball's centre.
    let vessel = body(0.0, [1.0; 3], |p| (p - MIDDLE).dot(toward()) > 25.0);
    let k = vessel.shape().nk / 2;
    let j = vessel.shape().nj / 2;
    let i = vessel.shape().ni / 2;
    let lesion = Mask::from_fn(vessel.grid().clone(), |at| {
        [at.i.abs_diff(i), at.j.abs_diff(j), at.k.abs_diff(k)].iter().map(|n| n * n).sum::<usize>() <= 16
    });
    let branched =
        Mask::from_fn(vessel.grid().clone(), |at| *vessel.at(at) || (at.j, at.k) == (j, k) && at.i >= i + 10);
    let found = gap(&lesion, &branched).unwrap().distance.0;
    // The ball ends 4 to 4.2 voxels from its centre, the branch begins between 9.5 and its first centre at 10.
    assert!((5.4..6.1).contains(&found), "{found}");
}

#[test]
fn nothing_and_other_frames_are_refused() {
    let ball = body(0.0, [2.0; 3], |p| p.distance(MIDDLE) <= 8.0);
    let empty = body(0.0, [2.0; 3], |_| false);
    assert_eq!(gap(&ball, &empty), Err(GapError::EmptyMask));
    let elsewhere = ball.clone().with_grid(ball.grid().clone().with_frame(FrameId::new("g"))).unwrap();
    assert!(matches!(gap(&ball, &elsewhere), Err(GapError::OtherFrame(..))));
}
