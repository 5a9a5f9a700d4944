//! Part of stage *measure*: how far every lesion and every ablation zone lies from each critical structure.
//!
//! The distance is that of the nearest points of their smooth surfaces ([`imaging::gap`]), 0 where they touch. A structure whose mask
//! cannot be used is said, and leaves its distances without a number: it never stops a patient.

use std::collections::BTreeMap;
use std::path::Path;

use formats::image_file;
use imaging::chord_band::half_width;
use imaging::gap::{GapError, GapFrom};
use imaging::{Chord, Mask, Mm, Note, Volume, Window};
use oncology::Evaluable;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::config::MaskGrid;
use crate::plan::CriticalPlan;
use crate::stages::segment::{Found, Instance};

/// The distance of one lesion or zone from one structure.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Distance {
    /// Between the nearest points; 0 where the two touch.
    pub(crate) length: Mm,
    /// Half a voxel of each of the two masks along it.
    pub(crate) half_width: Mm,
    /// From the lesion to the structure; `None` where the two touch.
    pub(crate) nearest: Option<Chord>,
}

/// The distances from one structure.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct StructureDistances {
    /// Its name in quantities.
    pub(crate) name: String,
    /// Of lesions, by label.
    pub(crate) lesions: BTreeMap<u16, Evaluable<Distance>>,
    /// Of zones, by label.
    pub(crate) zones: BTreeMap<u16, Evaluable<Distance>>,
}

/// Measures every distance at a visit.
pub(crate) fn distances(
    plans: &[CriticalPlan],
    image: &Volume<f32>,
    found: &Found,
    grid: MaskGrid,
    notes: &mut Vec<Note>,
) -> Vec<StructureDistances> {
    if plans.is_empty() {
        return Vec::new();
    }
    let [lesions, zones] = [&found.lesions, &found.zones].map(|instances| bodies(instances));
    let mut all = Vec::with_capacity(plans.len());
    for plan in plans {
        let structure = read(&plan.path, image, grid);
        if let Err(reason) = &structure {
            notes.push(Note::warning("critical_structure_not_used", plan.name.clone(), reason.clone()));
        }
        let of = |bodies: &[OfInstance<'_>]| {
            bodies.par_iter().map(|one| (one.0.label, distance(one, structure.as_ref()))).collect()
        };
        all.push(StructureDistances { name: plan.name.clone(), lesions: of(&lesions), zones: of(&zones) });
    }
    all
}

/// A lesion or zone with its surface, or why it has none.
type OfInstance<'a> = (&'a Instance, Result<GapFrom<'a>, GapError>);

fn bodies(instances: &[Instance]) -> Vec<OfInstance<'_>> {
    instances.par_iter().map(|one| (one, GapFrom::new(&one.mask))).collect()
}

fn distance((instance, body): &OfInstance<'_>, structure: Result<&Mask, &String>) -> Evaluable<Distance> {
    let structure = match structure {
        Ok(structure) => structure,
        Err(reason) => return Evaluable::not(reason.clone()),
    };
    match body.as_ref().map_err(Clone::clone).and_then(|body| body.to(structure)) {
        Err(error) => Evaluable::not(error.to_string()),
        Ok(found) => {
            let half = |chord: &Chord| {
                [&instance.mask, structure].map(|mask| half_width(chord, mask.grid()).0).iter().sum::<f64>() / 2.0
            };
            let reach = found.nearest.as_ref().map_or(0.0, half);
            Evaluable::Value(Distance { length: found.distance, half_width: Mm(reach), nearest: found.nearest })
        }
    }
}

/// The structure's mask cut to its box, in the image's frame of reference, or why it cannot be used.
fn read(path: &Path, image: &Volume<f32>, grid: MaskGrid) -> Result<Mask, String> {
    let file = path.file_name().unwrap_or_default().to_string_lossy();
    let map = image_file::read_labels(path, image.grid().frame().clone());
    // Messages name no folder of the machine.
    let map = map.map_err(|error| error.to_string().replace(&*path.to_string_lossy(), &file))?;
    let off = image.grid().max_distance_mm(map.grid());
    if grid != MaskGrid::Frame && off > imaging::grid::GRID_TOLERANCE_MM {
        return Err(format!(
            "{file} lies {off:.3} mm off the grid of the measured series; resample it onto the series, or, if it lies in that series' frame of reference, say [models] mask_grid = \"frame\""
        ));
    }
    let mask = map.map(|label| *label != 0);
    let cut = Window::around(&mask, [2; 3]).and_then(|window| window.cut(&mask, false).ok());
    cut.ok_or_else(|| format!("{file} holds no voxel"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use formats::nifti;
    use imaging::{Affine, FrameId, Grid, Index3, Shape};
    use oncology::{LesionKind, Organ};

    fn grid(nk: usize) -> Grid {
        let shape = Shape { ni: 60, nj: 40, nk };
        let rows = [[1.0, 0.0, 0.0, -20.0], [0.0, 1.0, 0.0, 3.0], [0.0, 0.0, 2.0, 5.0], [0.0, 0.0, 0.0, 1.0]];
        Grid::new(shape, Affine::from_rows(rows).unwrap(), FrameId::new("f")).unwrap()
    }

    fn ball(at: Index3) -> bool {
        let off = [at.i as f64 - 15.0, at.j as f64 - 20.0, 2.0 * (at.k as f64 - 12.0)];
        off.iter().map(|v| v * v).sum::<f64>() <= 64.0
    }

    #[test]
    fn lesions_and_zones_are_measured_from_each_structure_and_what_cannot_be_used_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, mask: &Mask| nifti::write_mask(&dir.path().join(name), mask).unwrap();
        write("vein.nii.gz", &Mask::from_fn(grid(25), |at| (30..36).contains(&at.i)));
        write("other.nii.gz", &Mask::from_fn(grid(24), |at| at.i > 40));
        write("empty.nii.gz", &Mask::from_fn(grid(25), |_| false));
        let image = Volume::filled(grid(25), 0.0_f32);
        let one = |label: u16, holds: fn(Index3) -> bool| Instance {
            label,
            mask: Mask::from_fn(grid(25), holds),
            organ: Organ::Liver,
            kind: LesionKind::Lesion,
        };
        let found = Found {
            lesions: vec![one(3, ball)],
            zones: vec![one(1, |at| ball(Index3 { i: at.i.saturating_sub(9), ..at }))],
            ..Found::nothing(image.grid(), "test")
        };
        let plan = |name: &str| CriticalPlan { name: name.into(), path: dir.path().join(format!("{name}.nii.gz")) };
        let mut notes = Vec::new();
        let plans = ["vein", "other", "empty", "missing"].map(plan);
        let all = distances(&plans, &image, &found, MaskGrid::Series, &mut notes);
        // From the ball's surface at 15 + 8 to the vein's at 29.5; the zone reaches to 32.
        let lesion = all[0].lesions[&3].value().unwrap();
        assert!((lesion.length.0 - 6.5).abs() < 0.5 && (lesion.half_width.0 - 1.0).abs() < 0.3, "{lesion:?}");
        assert_eq!(all[0].zones[&1].value().unwrap().length, Mm(0.0));
        let why: Vec<&str> = all[1..].iter().map(|of| of.lesions[&3].reason().unwrap()).collect();
        assert!(why[0].starts_with("other.nii.gz lies") && why[1] == "empty.nii.gz holds no voxel", "{why:?}");
        assert!(!why[2].contains(&*dir.path().to_string_lossy()), "{why:?}");
        assert_eq!(notes.len(), 3);
        let laid = distances(&plans[1..2], &image, &found, MaskGrid::Frame, &mut notes);
        assert!(laid[0].lesions[&3].value().unwrap().length.0 > 16.0);
    }
}
