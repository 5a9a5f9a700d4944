//! Beside the picture of a registration: how the bend stretched tissue in its plane, and what blocks near it still want to move.

use imaging::registration::{BlockResidual, Registration};
use imaging::{Affine, Grid, GridError, Mask, Patient, Point, Shape, Voxel};
use report::{BlockMark, StretchMap};

use crate::stages::registration_view::PIXEL_MM;

/// Pixels of the picture to one of the map of stretch along each axis: 4.2 mm, where the bend is told on nodes 10 mm apart.
const STRETCH_STEP: usize = 3;
/// A block is shown where its middle lies this near the plane, mm: half its edge.
const NEAR_PLANE_MM: f64 = 20.0;

/// How many times its volume tissue of the plane has in the moving image; `None` where the map does not bend. Where an organ is known,
/// in it; else wherever the bend was told.
pub(crate) fn stretch(
    organ: Option<&Mask>,
    grid: &Grid,
    to_baseline: &Registration,
) -> Result<Option<StretchMap>, GridError> {
    let Some(bend) = &to_baseline.bend else { return Ok(None) };
    let Shape { ni, nj, .. } = grid.shape();
    let shape = Shape { ni: ni.div_ceil(STRETCH_STEP), nj: nj.div_ceil(STRETCH_STEP), nk: 1 };
    let step = STRETCH_STEP as f64;
    let middle = 0.5 * (step - 1.0);
    let rows = [[step, 0.0, 0.0, middle], [0.0, step, 0.0, middle], [0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]];
    let coarser = Affine::<Voxel, Voxel>::from_rows(rows).ok_or(GridError::Singular)?;
    let coarse = Grid::new(shape, coarser.then(grid.voxel_to_patient()), grid.frame().clone())?;
    let is_shown = |p: Point<Patient>| match organ {
        Some(organ) => organ.grid().nearest(p).is_some_and(|at| *organ.at(at)),
        None => bend.reaches(p),
    };
    let times = |n: usize| {
        let p = coarse.center(shape.index(n));
        is_shown(p).then(|| (1000.0 * bend.jacobian(p)).round() / 1000.0)
    };
    Ok(Some(StretchMap {
        width: shape.ni as u32,
        height: shape.nj as u32,
        pixel_mm: [PIXEL_MM * step; 2],
        times: (0..shape.n_voxels()).map(times).collect(),
    }))
}

/// What blocks near the plane still want to move. Blocks without enough structure to tell in two directions say nothing.
pub(crate) fn blocks(grid: &Grid, to_baseline: &Registration) -> Vec<BlockMark> {
    let shape = grid.shape();
    let tells = to_baseline.blocks.iter().filter(|block| !block.matched || block.n_directions >= 2);
    let mark = |block: &BlockResidual| {
        let [x, y, z] = grid.patient_to_voxel().apply(block.center).to_array();
        let at_mm = [(x + 0.5) * PIXEL_MM, (y + 0.5) * PIXEL_MM];
        let is_in = (0.0..shape.ni as f64).contains(&(x + 0.5)) && (0.0..shape.nj as f64).contains(&(y + 0.5));
        let left_mm = block.matched.then(|| block.displacement.norm());
        // The layer's own axis is a unit vector, so that z is in mm.
        (is_in && z.abs() <= NEAR_PLANE_MM).then_some((z.abs(), BlockMark { at_mm, left_mm }))
    };
    let mut near: Vec<(f64, BlockMark)> = tells.filter_map(mark).collect();
    near.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut shown: Vec<BlockMark> = Vec::new();
    for (_, mark) in near {
        let apart = |other: &BlockMark| (other.at_mm[0] - mark.at_mm[0]).hypot(other.at_mm[1] - mark.at_mm[1]);
        if shown.iter().all(|other| apart(other) >= NEAR_PLANE_MM) {
            shown.push(mark);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use imaging::FrameId;
    use imaging::registration::Quality;
    use imaging::registration::deformable::Deformation;

    fn plane() -> Grid {
        let rows = [[1.4, 0.0, 0.0, -70.0], [0.0, 1.4, 0.0, -35.0], [0.0, 0.0, 1.0, 5.0], [0.0, 0.0, 0.0, 1.0]];
        let to_patient = Affine::from_rows(rows).unwrap();
        Grid::new(Shape { ni: 100, nj: 50, nk: 1 }, to_patient, FrameId::new("f")).unwrap()
    }

    fn registration() -> Registration {
        Registration { quality: Quality::Pass, ..Registration::identity_same_frame(FrameId::new("f")) }
    }

    #[test]
    fn tissue_that_grows_by_a_fifth_along_one_axis_has_a_fifth_more_volume() {
        let spacing = [[40.0, 0.0, 0.0, -80.0], [0.0, 40.0, 0.0, -80.0], [0.0, 0.0, 40.0, -80.0], [0.0, 0.0, 0.0, 1.0]];
        let shape = Shape { ni: 5, nj: 5, nk: 5 };
        let grid = Grid::new(shape, Affine::from_rows(spacing).unwrap(), FrameId::new("f")).unwrap();
        let field = (0..shape.n_voxels()).map(|n| [0.2 * grid.center(shape.index(n)).to_array()[0] as f32, 0.0, 0.0]);
        let bend = Deformation::new(grid.clone(), field.collect(), Affine::identity()).unwrap();
        let bent = Registration { bend: Some(Box::new(bend)), ..registration() };
        let map = stretch(None, &plane(), &bent).unwrap().expect("the map bends");
        assert_eq!((map.width, map.height), (34, 17));
        assert!(map.times.iter().all(|times| *times == Some(1.2)), "{:?}", &map.times[..9]);
        assert_eq!(stretch(None, &plane(), &registration()).unwrap(), None, "what does not bend keeps its volume");
    }

    #[test]
    fn a_block_stands_where_it_lies_and_one_far_from_the_plane_is_left_out() {
        let block = |at: [f64; 3], mm: f64, matched: bool| BlockResidual {
            center: Point::new(at[0], at[1], at[2]),
            displacement: imaging::Vector::new(0.0, 0.0, mm),
            n_directions: 3,
            correlation: 0.9,
            matched,
        };
        let all = [
            block([-70.0, -35.0, 5.0], 1.5, true),
            block([0.0, 0.0, 40.0], 9.0, true),
            block([14.0, 0.0, -5.0], 30.0, false),
        ];
        let marks = blocks(&plane(), &Registration { blocks: all.into(), ..registration() });
        assert_eq!(marks.len(), 2, "{marks:?}");
        assert!(marks[0].at_mm.iter().all(|mm| (mm - 0.7).abs() < 1e-9), "half a pixel from the corner: {marks:?}");
        assert_eq!((marks[0].left_mm, marks[1].left_mm), (Some(1.5), None));
    }
}
