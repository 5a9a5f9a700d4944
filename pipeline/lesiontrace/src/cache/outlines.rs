//! Everything outlined on a visit as runs of equal labels, small enough to be kept.

use std::collections::BTreeMap;

use imaging::{Grid, LabelMap, Mask};
use oncology::{LesionKind, Organ};
use serde::{Deserialize, Serialize};

use crate::out;
use crate::stages::segment::{Found, instances};

/// Outlines as runs: label, count, label, count, …, in memory order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Outlines {
    organ: Option<Vec<u32>>,
    lesions: Vec<u32>,
    zones: Vec<u32>,
    places: Vec<(u16, Organ, LesionKind)>,
    zone_places: Vec<(u16, Organ, LesionKind)>,
    source: String,
    outlined_by: BTreeMap<u16, String>,
    in_doubt: BTreeMap<u16, String>,
    looked_in: Option<String>,
}

impl Outlines {
    /// Of what was found.
    pub(crate) fn of(found: &Found) -> Self {
        let places = |instances: &[crate::stages::segment::Instance]| {
            instances.iter().map(|one| (one.label, one.organ.clone(), one.kind)).collect()
        };
        Self {
            organ: found.organ.as_ref().map(|organ| runs(organ.values())),
            lesions: label_runs(&found.lesion_map),
            zones: label_runs(&found.zone_map),
            places: places(&found.lesions),
            zone_places: places(&found.zones),
            source: found.source.clone(),
            outlined_by: found.outlined_by.clone(),
            in_doubt: found.in_doubt.clone(),
            looked_in: found.looked_in.clone(),
        }
    }

    /// Digest of the voxels: what a registration sees of outlines.
    pub(crate) fn digest(&self) -> String {
        out::sha256_hex(format!("{:?} {:?} {:?}", self.organ, self.lesions, self.zones).as_bytes())
    }

    /// On the grid they were made on; `None` where they do not fit it.
    pub(crate) fn on(&self, grid: &Grid) -> Option<Found> {
        let lesion_map = from_runs(&self.lesions, grid)?;
        let zone_map = from_runs(&self.zones, grid)?;
        let organ: Option<Mask> = match &self.organ {
            None => None,
            Some(organ) => Some(from_runs(organ, grid)?.map(|v| *v != 0)),
        };
        let place = |places: &[(u16, Organ, LesionKind)], label: u16| {
            let known = places.iter().find(|(of, _, _)| *of == label);
            known.map_or((Organ::Unknown, LesionKind::Lesion), |(_, organ, kind)| (organ.clone(), *kind))
        };
        let lesions = instances(&lesion_map, |label| place(&self.places, label));
        let zones = instances(&zone_map, |label| place(&self.zone_places, label));
        let Self { source, outlined_by, in_doubt, looked_in, .. } = self.clone();
        Some(Found { organ, lesions, zones, lesion_map, zone_map, source, outlined_by, in_doubt, looked_in })
    }
}

/// A label map as runs.
pub(crate) fn label_runs(labels: &LabelMap) -> Vec<u32> {
    runs(labels.values())
}

fn runs<T: Copy + PartialEq + Into<u32>>(mut values: &[T]) -> Vec<u32> {
    let mut runs: Vec<u32> = Vec::new();
    while let Some(first) = values.first() {
        let n = equal_at_start(values, *first).min(u32::MAX as usize);
        runs.extend([(*first).into(), n as u32]);
        values = &values[n..];
    }
    runs
}

/// How many values from the first on are this one.
fn equal_at_start<T: Copy + PartialEq>(values: &[T], value: T) -> usize {
    // Long runs are the rule, and are seen many voxels at a time.
    const AT_ONCE: usize = 64;
    let are_equal = |chunk: &&[T]| chunk.iter().filter(|v| **v != value).count() == 0;
    let n = values.chunks_exact(AT_ONCE).take_while(are_equal).count() * AT_ONCE;
    n + values[n..].iter().take_while(|v| **v == value).count()
}

/// Labels of runs; `None` where they do not fit the grid.
pub(crate) fn from_runs(runs: &[u32], grid: &Grid) -> Option<LabelMap> {
    let n: usize = runs.chunks_exact(2).map(|run| run[1] as usize).sum();
    if n != grid.shape().n_voxels() {
        return None;
    }
    let mut values = Vec::with_capacity(n);
    for run in runs.chunks_exact(2) {
        values.extend(std::iter::repeat_n(u16::try_from(run[0]).ok()?, run[1] as usize));
    }
    LabelMap::from_values(values, grid.clone()).ok()
}

#[cfg(test)]
mod tests {
    use imaging::{Affine, FrameId, Shape};

    use super::*;

    #[test]
    fn outlines_come_back_on_their_grid_and_on_no_other() {
        let rows = [[0.8, 0.0, 0.0, -7.0], [0.0, 0.8, 0.0, 3.0], [0.0, 0.0, 5.0, 40.0], [0.0, 0.0, 0.0, 1.0]];
        let shape = Shape { ni: 5, nj: 4, nk: 3 };
        let grid = Grid::new(shape, Affine::from_rows(rows).unwrap(), FrameId::new("f")).unwrap();
        let lesion_map = LabelMap::from_fn(grid.clone(), |at| u16::from(at.i == 2) * (1 + u16::from(at.k == 2)));
        let lesions =
            instances(&lesion_map, |label| (if label == 1 { Organ::Liver } else { Organ::Lung }, LesionKind::Node));
        let zone_map = LabelMap::from_fn(grid.clone(), |at| u16::from(at.j == 3) * 9);
        let zones = instances(&zone_map, |_| (Organ::Liver, LesionKind::Lesion));
        let organ = Some(lesion_map.map(|label| *label == 1));
        let nothing = Found::nothing(&grid, "model:a-1");
        let outlined_by = BTreeMap::from([(2, "model:b-1".to_owned())]);
        let in_doubt = BTreeMap::from([(1, "apart".to_owned())]);
        let looked_in = Some("liver".to_owned());
        let found = Found { organ, lesions, zones, lesion_map, zone_map, outlined_by, in_doubt, looked_in, ..nothing };
        let outlines = Outlines::of(&found);
        let back = outlines.on(&grid).unwrap();
        assert_eq!((&back.lesion_map, &back.zone_map, &back.organ), (&found.lesion_map, &found.zone_map, &found.organ));
        assert_eq!((&back.lesions[1].organ, back.lesions[1].kind), (&Organ::Lung, LesionKind::Node));
        assert_eq!((&back.zones[0].organ, back.zones[0].label), (&Organ::Liver, 9));
        assert_eq!((&back.source, &back.outlined_by), (&found.source, &found.outlined_by));
        assert_eq!((&back.in_doubt, &back.looked_in), (&found.in_doubt, &found.looked_in));
        assert_eq!(back.lesions[0].mask, found.lesions[0].mask);
        let other = Grid::new(Shape { nk: 2, ..shape }, Affine::from_rows(rows).unwrap(), FrameId::new("f")).unwrap();
        assert!(outlines.on(&other).is_none());
    }

    #[test]
    fn a_moved_voxel_makes_another_digest() {
        let rows = [[0.8, 0.0, 0.0, -7.0], [0.0, 0.8, 0.0, 3.0], [0.0, 0.0, 5.0, 40.0], [0.0, 0.0, 0.0, 1.0]];
        let shape = Shape { ni: 5, nj: 4, nk: 3 };
        let grid = Grid::new(shape, Affine::from_rows(rows).unwrap(), FrameId::new("f")).unwrap();
        let with = |i: usize| Found {
            lesion_map: LabelMap::from_fn(grid.clone(), |at| u16::from(at.i == i)),
            ..Found::nothing(&grid, "imported_mask")
        };
        assert_ne!(Outlines::of(&with(1)).digest(), Outlines::of(&with(2)).digest());
    }
}
