//! FDG-avid lesion candidates: connected uptake above a cut-off, outlined, measured, and set aside where it is an organ's own.
//!
//! Definition: a candidate is a 26-connected part of the voxels at or above the cut-off whose volume reaches a least one. Its
//! outline is that part, or, with a share of its own SUVmax (41 % or 50 %; Boellaard et al. 2015, EANM guideline 2.0, §7), the
//! voxels of the part at or above that share which hang together with the hottest one. MTV is the outline's volume, TLG its mean
//! times MTV. Physiologic uptake (brain, heart, kidneys, bladder) is known by organ masks: a candidate whose hottest voxel, or at
//! least half of which, lies in one is set aside and says so. Edge cases: without organ masks nothing is set aside.

use std::collections::BTreeMap;

use imaging::{Component, Connectivity, GridError, Index3, LabelMap, Shape, Volume, Window, components};
use serde::Serialize;
use thiserror::Error;

use super::suv_peak::suv_peak;
use crate::evaluable::Evaluable;

/// Part of a candidate in an organ from which it counts as the organ's own.
const ORGANS_OWN_SHARE: f64 = 0.5;

/// Why a PET has no list of candidates.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum AvidError {
    /// More than labels can number.
    #[error(
        "expected at most 65535 candidates, found {found}: this is noise; take a higher cut-off or a larger least volume"
    )]
    TooMany {
        /// How many.
        found: usize,
    },
    /// A part of the PET's grid cannot be laid out.
    #[error(transparent)]
    Grid(#[from] GridError),
}

/// What makes a candidate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AvidRule {
    /// Uptake from which voxels count, SUVbw.
    pub cut_off_suv: f64,
    /// Share of the candidate's SUVmax from which voxels belong to its outline; none: all above the cut-off.
    pub share_of_max: Option<f64>,
    /// Least volume of a candidate above the cut-off, mm³.
    pub least_mm3: f64,
}

/// One candidate; uptake in SUVbw.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Avid {
    /// Its value in the label map, from 1 by falling SUVmax.
    pub label: u16,
    /// The hottest voxel's centre, LPS mm: a point to prompt a network with.
    pub hottest_lps_mm: [f64; 3],
    /// The hottest voxel.
    pub suv_max: f64,
    /// Mean over the outline.
    pub suv_mean: f64,
    /// Highest mean of a sphere of 1 cm³.
    pub suv_peak: Evaluable<f64>,
    /// Metabolic tumour volume: that of the outline, ml.
    pub mtv_ml: f64,
    /// Total lesion glycolysis: mean times volume, SUV × ml.
    pub tlg_suv_ml: f64,
    /// Why it is no lesion candidate, where it is an organ's own uptake.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub set_aside: Option<String>,
}

/// All candidates, those set aside among them, and their outlines on the PET's grid.
#[derive(Debug, Clone, PartialEq)]
pub struct AvidLesions {
    /// By falling SUVmax; of equal ones the one with the earlier first voxel.
    pub list: Vec<Avid>,
    /// The outlines by label; candidates that were set aside are left out.
    pub outlines: LabelMap,
}

/// A candidate's outline and its hottest voxel.
struct Outline {
    voxels: Vec<Index3>,
    hottest: Index3,
    max: f64,
}

/// Finds the candidates of a PET in SUVbw. `organs`: organs with uptake of their own on the PET's grid, with a name for each label.
/// Memory beyond the PET: its voxels above the cut-off, their components, the label map, and the candidates' voxels.
pub fn avid_lesions(
    pet: &Volume<f32>,
    rule: &AvidRule,
    organs: Option<(&LabelMap, &BTreeMap<u16, String>)>,
) -> Result<AvidLesions, AvidError> {
    let voxel_mm3 = pet.grid().voxel_volume_mm3();
    let found = components(&pet.map(|value| f64::from(*value) >= rule.cut_off_suv), Connectivity::Corners);
    let large = found.list.iter().filter(|part| part.n_voxels as f64 * voxel_mm3 >= rule.least_mm3);
    let outlines = large.map(|part| outline(pet, &found.labels, part, rule.share_of_max));
    let mut outlines = outlines.collect::<Result<Vec<_>, _>>()?;
    if outlines.len() > usize::from(u16::MAX) {
        return Err(AvidError::TooMany { found: outlines.len() });
    }
    outlines.sort_by(|a, b| b.max.total_cmp(&a.max)); // stable: equal ones stay in the order of their first voxels
    let mut map = LabelMap::filled(pet.grid().clone(), 0);
    let mut list = Vec::with_capacity(outlines.len());
    for (label, outline) in (1..=u16::MAX).zip(&outlines) {
        let set_aside = organs.and_then(|(labels, names)| organs_own(outline, labels, names));
        if set_aside.is_none() {
            for at in &outline.voxels {
                let n = map.shape().linear(*at);
                map.values_mut()[n] = label;
            }
        }
        list.push(measured(pet, label, outline, set_aside));
    }
    Ok(AvidLesions { list, outlines: map })
}

/// The outline of one component, worked out in its own box.
fn outline(
    pet: &Volume<f32>,
    labels: &Volume<u32>,
    part: &Component,
    share_of_max: Option<f64>,
) -> Result<Outline, GridError> {
    let (low, high) = (part.low, part.high);
    let shape = Shape { ni: high.i - low.i + 1, nj: high.j - low.j + 1, nk: high.k - low.k + 1 };
    let window = Window { low: [low.i, low.j, low.k].map(|index| index as i64), shape };
    let own = window.cut(labels, 0)?.map(|label| *label == part.label);
    let on_pet = |at: Index3| Index3 { i: at.i + low.i, j: at.j + low.j, k: at.k + low.k };
    let uptake = |at: Index3| f64::from(*pet.at(on_pet(at)));
    let (mut hottest, mut max) = (low, f64::NEG_INFINITY);
    for at in own.indices_set() {
        if uptake(at) > max {
            (hottest, max) = (at, uptake(at));
        }
    }
    let mut core = own;
    if let Some(share) = share_of_max {
        let reaches: Vec<Index3> = core.indices_set().filter(|at| uptake(*at) >= share * max).collect();
        core.values_mut().fill(false);
        for at in reaches {
            let n = shape.linear(at);
            core.values_mut()[n] = true;
        }
        let pieces = components(&core, Connectivity::Corners);
        core = pieces.mask(*pieces.labels.at(hottest));
    }
    Ok(Outline { voxels: core.indices_set().map(on_pet).collect(), hottest: on_pet(hottest), max })
}

/// Why a candidate is an organ's own uptake, if it is.
fn organs_own(outline: &Outline, organs: &LabelMap, names: &BTreeMap<u16, String>) -> Option<String> {
    let name = |label: u16| names.get(&label).cloned().unwrap_or_else(|| format!("organ {label}"));
    let at_hottest = *organs.at(outline.hottest);
    if at_hottest != 0 {
        return Some(format!("its hottest voxel lies in {}", name(at_hottest)));
    }
    let mut inside: BTreeMap<u16, usize> = BTreeMap::new();
    for at in &outline.voxels {
        *inside.entry(*organs.at(*at)).or_default() += 1;
    }
    inside.remove(&0);
    let (label, most) = inside.into_iter().max_by_key(|(label, count)| (*count, u16::MAX - label))?;
    let share = most as f64 / outline.voxels.len() as f64;
    (share >= ORGANS_OWN_SHARE).then(|| format!("{:.0} % of it lies in {}", 100.0 * share, name(label)))
}

fn measured(pet: &Volume<f32>, label: u16, outline: &Outline, set_aside: Option<String>) -> Avid {
    let n = outline.voxels.len() as f64;
    let suv_mean = outline.voxels.iter().map(|at| f64::from(*pet.at(*at))).sum::<f64>() / n;
    let mtv_ml = n * pet.grid().voxel_volume_mm3() / 1000.0;
    Avid {
        label,
        hottest_lps_mm: pet.grid().center(outline.hottest).to_array(),
        suv_max: outline.max,
        suv_mean,
        suv_peak: suv_peak(pet, outline.voxels.iter().copied()),
        mtv_ml,
        tlg_suv_ml: suv_mean * mtv_ml,
        set_aside,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use imaging::{FrameId, Grid, Point, Shape};
    use nalgebra::Matrix3;

    const SPACING: [f64; 3] = [4.0, 4.0, 3.0];

    fn grid() -> Grid {
        let shape = Shape { ni: 40, nj: 30, nk: 30 };
        let origin = Point::new(-70.0, 12.0, -400.0);
        Grid::from_directions(shape, origin, SPACING, Matrix3::identity(), FrameId::new("f")).unwrap()
    }

    /// Whether a voxel lies in a ball given in voxel indices and mm.
    fn in_ball(at: Index3, centre: [f64; 3], radius_mm: f64) -> bool {
        let at = [at.i as f64, at.j as f64, at.k as f64];
        (0..3).map(|a| ((at[a] - centre[a]) * SPACING[a]).powi(2)).sum::<f64>() <= radius_mm * radius_mm
    }

    /// A lesion of SUV 6 with a core of 12, a bladder of 20, and a speck below the least volume.
    fn pet() -> Volume<f32> {
        Volume::from_fn(grid(), |at| {
            if in_ball(at, [10.0, 15.0, 15.0], 6.0) {
                12.0
            } else if in_ball(at, [10.0, 15.0, 15.0], 16.0) {
                6.0 - 0.5 * f32::from(at.i == 9)
            } else if in_ball(at, [30.0, 15.0, 15.0], 14.0) {
                20.0
            } else if (at.i, at.j, at.k) == (20, 3, 3) {
                9.0
            } else {
                1.0
            }
        })
    }

    const RULE: AvidRule = AvidRule { cut_off_suv: 4.0, share_of_max: None, least_mm3: 500.0 };

    #[test]
    fn volumes_means_and_the_hottest_point_are_those_of_the_phantom() {
        let found = avid_lesions(&pet(), &RULE, None).unwrap();
        assert_eq!(found.list.len(), 2, "the speck of 48 mm³ is too small");
        let (bladder, lesion) = (&found.list[0], &found.list[1]);
        assert_eq!((bladder.label, bladder.suv_max, lesion.label, lesion.suv_max), (1, 20.0, 2, 12.0));
        let n = found.outlines.values().iter().filter(|label| **label == 2).count();
        assert!((lesion.mtv_ml - n as f64 * 0.048).abs() < 1e-9);
        // A ball of 16 mm holds 17.16 ml.
        assert!((lesion.mtv_ml - 17.16).abs() < 0.6, "{}", lesion.mtv_ml);
        assert!((lesion.tlg_suv_ml - lesion.suv_mean * lesion.mtv_ml).abs() < 1e-9);
        assert!(lesion.hottest_lps_mm[0] < -20.0, "the patient's right: {:?}", lesion.hottest_lps_mm);
    }

    #[test]
    fn a_share_of_the_maximum_leaves_the_core_alone() {
        let rule = AvidRule { share_of_max: Some(0.6), ..RULE };
        let found = avid_lesions(&pet(), &rule, None).unwrap();
        let lesion = &found.list[1];
        assert!((lesion.suv_mean - 12.0).abs() < 1e-9 && lesion.mtv_ml < 1.2, "{lesion:?}");
        let at_half = avid_lesions(&pet(), &AvidRule { share_of_max: Some(0.41), ..RULE }, None).unwrap();
        assert!(at_half.list[1].mtv_ml > 16.0, "6 is half of 12");
    }

    #[test]
    fn an_organs_own_uptake_is_set_aside_and_says_so() {
        let organs = LabelMap::from_fn(grid(), |at| if in_ball(at, [30.0, 15.0, 15.0], 11.5) { 3 } else { 0 });
        let names = BTreeMap::from([(3, "the bladder".to_owned())]);
        let found = avid_lesions(&pet(), &RULE, Some((&organs, &names))).unwrap();
        // All voxels of the bladder are equally hot: the first of them lies outside the organ's tighter mask.
        assert_eq!(found.list[0].set_aside.as_deref().map(|why| why.ends_with("lies in the bladder")), Some(true));
        assert!(found.list[1].set_aside.is_none());
        assert_eq!(found.outlines.labels_present(), [2], "what was set aside is not outlined");
    }

    #[test]
    fn more_candidates_than_labels_are_refused_with_the_remedy() {
        let shape = Shape { ni: 82, nj: 82, nk: 82 };
        let grid =
            Grid::from_directions(shape, Point::new(0.0, 0.0, 0.0), SPACING, Matrix3::identity(), FrameId::new("f"));
        // Every second voxel along each axis: 41³ specks that touch nowhere.
        let specks = Volume::from_fn(grid.unwrap(), |at| f32::from((at.i % 2 + at.j % 2 + at.k % 2 == 0) as u8) * 9.0);
        let error = avid_lesions(&specks, &AvidRule { least_mm3: 0.0, ..RULE }, None).unwrap_err();
        assert_eq!(error, AvidError::TooMany { found: 68_921 });
        assert!(error.to_string().contains("larger least volume"));
    }
}
