//! FDG-avid lesion candidates: connected uptake above a cut-off, outlined, measured, and set aside where it is an organ's own.
//!
//! Definition: physiologic uptake (brain, heart, kidneys, bladder) is known by organ masks and taken out first, with one voxel of
//! spill-out round it (`parts.rs`). A candidate is a 26-connected part of the other voxels at or above the cut-off whose volume
//! reaches a least one; what was taken out stands in rows of its own, set aside. A candidate's outline is its part, or, with a
//! share of its own SUVmax (41 % or 50 %; Boellaard et al. 2015, EANM guideline 2.0, §7), all voxels of the PET at or above that
//! share which hang together with its hottest one, above the cut-off or below it (`outline.rs`); where that runs into its
//! surroundings there is no volume, and the reason. MTV is the outline's volume, TLG its mean times MTV. Edge cases: without organ
//! masks nothing is set aside; what is set aside is measured above the cut-off.

mod outline;
mod parts;

use std::collections::BTreeMap;

use imaging::{LabelMap, Volume};
use serde::Serialize;
use thiserror::Error;

use self::parts::{Part, Parts};
use super::suv_peak::suv_peak;
use crate::evaluable::Evaluable;

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
    pub suv_mean: Evaluable<f64>,
    /// Highest mean of a sphere of 1 cm³.
    pub suv_peak: Evaluable<f64>,
    /// Metabolic tumour volume: that of the outline, ml.
    pub mtv_ml: Evaluable<f64>,
    /// Total lesion glycolysis: mean times volume, SUV × ml.
    pub tlg_suv_ml: Evaluable<f64>,
    /// Why it is no lesion candidate, where it is an organ's own uptake.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub set_aside: Option<String>,
    /// Organs whose uptake it touches: some of it may be theirs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub touches: Option<String>,
}

/// All candidates, those set aside among them, and their outlines on the PET's grid.
#[derive(Debug, Clone, PartialEq)]
pub struct AvidLesions {
    /// By falling SUVmax; of equal ones the one with the earlier first voxel.
    pub list: Vec<Avid>,
    /// The outlines by label; what was set aside is left out, and where an outline at a share of SUVmax runs into its
    /// surroundings the part above the cut-off stands for it.
    pub outlines: LabelMap,
}

/// Finds the candidates of a PET in SUVbw. `organs`: organs with uptake of their own on the PET's grid, with a name for each label.
/// Memory beyond the PET, in bytes a voxel: 8 while candidates are found (numbers 4, organs' zones 2, two masks), 7 and 5 for each
/// voxel of an organ's box while what is its own is found, then 6 (numbers, label map), at a share of the maximum 10; beside these 8
/// for each voxel above the cut-off.
pub fn avid_lesions(
    pet: &Volume<f32>,
    rule: &AvidRule,
    organs: Option<(&LabelMap, &BTreeMap<u16, String>)>,
) -> Result<AvidLesions, AvidError> {
    let found = Parts::of(pet, rule, organs);
    let mut order: Vec<usize> = (0..found.list.len()).collect();
    if order.len() > usize::from(u16::MAX) {
        return Err(AvidError::TooMany { found: order.len() });
    }
    // Stable: equal ones stay in the order of their first voxels.
    order.sort_by(|a, b| found.list[*b].max.total_cmp(&found.list[*a].max));
    let mut map = LabelMap::filled(pet.grid().clone(), 0);
    let mut list = Vec::with_capacity(order.len());
    let mut seen = rule.share_of_max.map_or_else(Vec::new, |_| vec![0_u32; pet.values().len()]);
    for (label, n) in (1..=u16::MAX).zip(order) {
        let part = &found.list[n];
        let grown = rule.share_of_max.filter(|_| part.set_aside.is_none()).map(|share| {
            let outline = outline::at_share(pet, found.owner.values(), n, part, share, &mut seen);
            outline.map_err(|leak| leak.reason(part, share, ml(pet, &part.voxels)))
        });
        let voxels = grown.as_ref().and_then(|grown| grown.as_ref().ok()).unwrap_or(&part.voxels);
        if part.set_aside.is_none() {
            for at in voxels {
                map.values_mut()[*at] = label;
            }
        }
        let leak = grown.as_ref().and_then(|grown| grown.as_ref().err());
        list.push(measured(pet, label, part, voxels, leak));
    }
    Ok(AvidLesions { list, outlines: map })
}

fn ml(pet: &Volume<f32>, voxels: &[usize]) -> f64 {
    voxels.len() as f64 * pet.grid().voxel_volume_mm3() / 1000.0
}

/// Measures an outline; `leak`: why it has no volume.
fn measured(pet: &Volume<f32>, label: u16, part: &Part, voxels: &[usize], leak: Option<&String>) -> Avid {
    let or_leak = |value: f64| leak.map_or(Evaluable::Value(value), |why| Evaluable::not(why.clone()));
    let suv_mean = voxels.iter().map(|at| f64::from(pet.values()[*at])).sum::<f64>() / voxels.len() as f64;
    let mtv_ml = ml(pet, voxels);
    Avid {
        label,
        hottest_lps_mm: pet.grid().center(pet.shape().index(part.hottest)).to_array(),
        suv_max: part.max,
        suv_mean: or_leak(suv_mean),
        suv_peak: suv_peak(pet, voxels.iter().map(|at| pet.shape().index(*at))),
        mtv_ml: or_leak(mtv_ml),
        tlg_suv_ml: or_leak(suv_mean * mtv_ml),
        set_aside: part.set_aside.clone(),
        touches: part.touches.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use imaging::{FrameId, Grid, Index3, Mask, Point, Shape};
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

    /// A PET with an uptake in each of several places, of those that meet in the first; 1 elsewhere.
    fn pet_of(places: &[(f32, &dyn Fn(Index3) -> bool)]) -> Volume<f32> {
        Volume::from_fn(grid(), |at| places.iter().find(|(_, holds)| holds(at)).map_or(1.0, |(uptake, _)| *uptake))
    }

    /// A lesion of SUV 6 with a core of 12, a bladder of 20, and a speck below the least volume.
    fn pet() -> Volume<f32> {
        let lesion = |at: Index3| in_ball(at, [10.0, 15.0, 15.0], 16.0);
        pet_of(&[
            (12.0, &|at| in_ball(at, [10.0, 15.0, 15.0], 6.0)),
            (5.5, &|at| lesion(at) && at.i == 9),
            (6.0, &lesion),
            (20.0, &|at| in_ball(at, [30.0, 15.0, 15.0], 14.0)),
            (9.0, &|at| (at.i, at.j, at.k) == (20, 3, 3)),
        ])
    }

    const RULE: AvidRule = AvidRule { cut_off_suv: 4.0, share_of_max: None, least_mm3: 500.0 };

    fn value(of: &Evaluable<f64>) -> f64 {
        *of.value().unwrap()
    }

    fn ml_of(voxels: impl Fn(Index3) -> bool) -> f64 {
        Mask::from_fn(grid(), voxels).n_voxels_set() as f64 * 0.048
    }

    #[test]
    fn volumes_means_and_the_hottest_point_are_those_of_the_phantom() {
        let found = avid_lesions(&pet(), &RULE, None).unwrap();
        assert_eq!(found.list.len(), 2, "the speck of 48 mm³ is too small");
        let (bladder, lesion) = (&found.list[0], &found.list[1]);
        assert_eq!((bladder.label, bladder.suv_max, lesion.label, lesion.suv_max), (1, 20.0, 2, 12.0));
        let n = found.outlines.values().iter().filter(|label| **label == 2).count();
        let (mtv_ml, suv_mean) = (value(&lesion.mtv_ml), value(&lesion.suv_mean));
        assert!((mtv_ml - n as f64 * 0.048).abs() < 1e-9);
        // A ball of 16 mm holds 17.16 ml.
        assert!((mtv_ml - 17.16).abs() < 0.6, "{mtv_ml}");
        assert!((value(&lesion.tlg_suv_ml) - suv_mean * mtv_ml).abs() < 1e-9);
        assert!(lesion.hottest_lps_mm[0] < -20.0, "the patient's right: {:?}", lesion.hottest_lps_mm);
    }

    #[test]
    fn a_share_of_the_maximum_leaves_the_core_alone() {
        let rule = AvidRule { share_of_max: Some(0.6), ..RULE };
        let found = avid_lesions(&pet(), &rule, None).unwrap();
        let lesion = &found.list[1];
        assert!((value(&lesion.suv_mean) - 12.0).abs() < 1e-9 && value(&lesion.mtv_ml) < 1.2, "{lesion:?}");
        let at_half = avid_lesions(&pet(), &AvidRule { share_of_max: Some(0.41), ..RULE }, None).unwrap();
        assert!(value(&at_half.list[1].mtv_ml) > 16.0, "6 is half of 12");
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

    /// A lesion that falls off smoothly, hottest at voxel (20, 15, 15): SUV `max` there, 1 far off.
    fn bell(max: f64, at: Index3) -> f64 {
        let far =
            [(at.i, 20.0, 4.0), (at.j, 15.0, 4.0), (at.k, 15.0, 3.0)].map(|(n, middle, mm)| (n as f64 - middle) * mm);
        1.0 + (max - 1.0) * (-far.iter().map(|mm| mm * mm).sum::<f64>() / (2.0 * 10.0_f64.powi(2))).exp()
    }

    #[test]
    fn an_outline_at_a_share_of_the_maximum_goes_on_below_the_cut_off() {
        for max in [5.5, 7.0, 9.0, 13.0] {
            let pet = Volume::from_fn(grid(), |at| bell(max, at) as f32);
            let rule = AvidRule { share_of_max: Some(0.41), ..RULE };
            let found = avid_lesions(&pet, &rule, None).unwrap();
            let truth = ml_of(|at| bell(max, at) >= 0.41 * max);
            assert!((value(&found.list[0].mtv_ml) - truth).abs() < 1e-9, "{max}: {:?}, truth {truth}", found.list[0]);
            let drawn = found.outlines.values().iter().filter(|label| **label == 1).count();
            assert!((drawn as f64 * 0.048 - truth).abs() < 1e-9);
        }
    }

    #[test]
    fn an_outline_that_leaks_has_no_volume_and_says_into_what() {
        let rule = AvidRule { share_of_max: Some(0.41), ..RULE };
        // Surroundings of SUV 2.9 are above 41 % of 7.
        let blurred = |at: Index3| if in_ball(at, [10.0, 15.0, 15.0], 8.0) { 7.0 } else { 2.9 };
        let found = avid_lesions(&Volume::from_fn(grid(), blurred), &rule, None).unwrap();
        let why = found.list[0].mtv_ml.reason().unwrap();
        assert!(why.contains("41 % of its SUVmax (SUV 2.87)") && why.contains("10 times as large"), "{why}");
        assert_eq!(found.list[0].tlg_suv_ml.reason(), Some(why));
        let part = ml_of(|at| in_ball(at, [10.0, 15.0, 15.0], 8.0));
        let drawn = found.outlines.values().iter().filter(|label| **label == 1).count();
        assert!((drawn as f64 * 0.048 - part).abs() < 1e-9, "the part above the cut-off stands in the map");
        // Two lesions of SUV 7 and 6, joined by a bridge of 3.
        let bridge = |at: Index3| (at.j, at.k) == (15, 15) && (10..20).contains(&at.i);
        let two: [(f32, &dyn Fn(Index3) -> bool); 3] = [
            (7.0, &|at| in_ball(at, [10.0, 15.0, 15.0], 10.0)),
            (6.0, &|at| in_ball(at, [20.0, 15.0, 15.0], 10.0)),
            (3.0, &bridge),
        ];
        let found = avid_lesions(&pet_of(&two), &rule, None).unwrap();
        assert_eq!(found.list.len(), 2);
        for lesion in &found.list {
            assert!(lesion.mtv_ml.reason().unwrap().contains("another candidate"), "{lesion:?}");
        }
    }

    /// Whole sentences: a remedy that cannot help is none.
    #[test]
    fn each_leak_names_the_remedy_that_helps_it() {
        let rule = AvidRule { share_of_max: Some(0.41), ..RULE };
        let core = |at: Index3| in_ball(at, [10.0, 15.0, 15.0], 8.0);
        let beside = |at: Index3| in_ball(at, [20.0, 15.0, 15.0], 8.0);
        let bridge = |at: Index3| (at.j, at.k) == (15, 15) && (10..20).contains(&at.i);
        let hot = |at: Index3| (at.i, at.j, at.k) == (20, 15, 15);
        let reason = |pet: &Volume<f32>| {
            let found = avid_lesions(pet, &rule, None).unwrap();
            found.list.iter().find(|one| one.suv_max == 7.0).unwrap().mtv_ml.reason().unwrap().to_owned()
        };
        let ml = ml_of(core);
        let begin = "at 41 % of its SUVmax (SUV 2.87) the outline";
        let end = "it leaks into its surroundings; take a higher percentage, or";
        assert_eq!(
            reason(&pet_of(&[(7.0, &core), (2.9, &|_| true)])),
            format!(
                "{begin} is more than 10 times as large as its part above the cut-off ({ml:.2} ml, which stands in the label \
                 map): {end} none: the part above the cut-off is the outline then"
            )
        );
        assert_eq!(
            reason(&pet_of(&[(7.0, &core), (6.0, &beside), (3.0, &bridge)])),
            format!(
                "{begin} runs into another candidate ({ml:.2} ml, which stands in the label map): {end} a lower cut-off, at \
                 which the two are one"
            )
        );
        assert_eq!(
            reason(&pet_of(&[(7.0, &core), (8.0, &hot), (3.0, &bridge)])),
            format!(
                "{begin} runs into a hotter voxel of a part too small to be a candidate ({ml:.2} ml, which stands in the \
                 label map): {end} a lower cut-off, at which the two are one"
            )
        );
        // The remedy helps: at the cut-off that the outline's edge is, the two are one.
        let lower = AvidRule { cut_off_suv: 2.8, ..rule };
        let two = pet_of(&[(7.0, &core), (6.0, &beside), (3.0, &bridge)]);
        let found = avid_lesions(&two, &lower, None).unwrap();
        assert_eq!(found.list.len(), 1);
        assert!((value(&found.list[0].mtv_ml) - ml_of(|at| core(at) || beside(at) || bridge(at))).abs() < 1e-9);
    }

    /// Two kidneys and a bladder: each is looked at in its own box, and its numbers are those of its place in the PET.
    #[test]
    fn what_organs_keep_lies_where_they_lie() {
        let places = [[6.0, 8.0, 22.0], [34.0, 8.0, 23.0], [20.0, 22.0, 5.0]];
        let organ = |n: usize, at: Index3| in_ball(at, places[n], 13.0);
        let hottest = |n: usize, at: Index3| [at.i, at.j, at.k].map(|v| v as f64) == places[n];
        let uptake = |at: Index3| (0..3).find(|n| organ(*n, at)).map(|n| 10.0 + n as f32 + f32::from(hottest(n, at)));
        let pet = Volume::from_fn(grid(), |at| uptake(at).unwrap_or(1.0));
        let label = |at: Index3| (0..3).find(|n| organ(*n, at)).map_or(0, |n| 5 * n as u16 + 2);
        let organs = LabelMap::from_fn(grid(), label);
        let found = avid_lesions(&pet, &RULE, Some((&organs, &BTreeMap::new()))).unwrap();
        assert_eq!(found.list.len(), 3, "{:?}", found.list);
        for (kept, n) in found.list.iter().zip([2, 1, 0]) {
            assert_eq!(kept.set_aside, Some(format!("its hottest voxel lies in organ {}", 5 * n + 2)));
            let [i, j, k] = places[n].map(|v| v as usize);
            assert_eq!(kept.hottest_lps_mm, grid().center(Index3 { i, j, k }).to_array());
            assert!((value(&kept.mtv_ml) - ml_of(|at| organ(n, at))).abs() < 1e-9);
        }
        assert!(found.outlines.values().iter().all(|label| *label == 0));
    }

    #[test]
    fn a_lesion_against_an_organ_is_a_candidate_of_its_own() {
        let organ = |at: Index3| in_ball(at, [30.0, 15.0, 15.0], 20.0);
        let lesion = |at: Index3| in_ball(at, [22.5, 15.0, 15.0], 12.0) && !organ(at);
        let pet = pet_of(&[(20.0, &organ), (8.0, &lesion)]);
        let names = BTreeMap::from([(1, "bladder".to_owned())]);
        let organs = LabelMap::from_fn(grid(), |at| u16::from(organ(at)));
        for share_of_max in [None, Some(0.41)] {
            let rule = AvidRule { share_of_max, ..RULE };
            let found = avid_lesions(&pet, &rule, Some((&organs, &names))).unwrap();
            assert_eq!(found.list.len(), 2, "{:?}", found.list);
            assert_eq!(found.list[0].set_aside.as_deref(), Some("its hottest voxel lies in bladder"));
            assert!((value(&found.list[0].mtv_ml) - ml_of(organ)).abs() < 1e-9);
            let own = &found.list[1];
            assert_eq!((own.suv_max, own.set_aside.as_deref(), own.touches.as_deref()), (8.0, None, Some("bladder")));
            assert!((value(&own.mtv_ml) - ml_of(lesion)).abs() < 1e-9, "{own:?}");
            let drawn = Mask::from_fn(grid(), |at| *found.outlines.at(at) == 2);
            assert_eq!(drawn, Mask::from_fn(grid(), lesion));
        }
    }

    #[test]
    fn one_voxel_of_an_organ_under_the_hottest_does_not_set_a_lesion_aside() {
        let lesion = |at: Index3| in_ball(at, [20.0, 15.0, 15.0], 16.0);
        let one = |at: Index3| (at.i, at.j, at.k) == (20, 15, 15);
        let pet = pet_of(&[(6.5, &one), (6.0, &lesion)]);
        let organs = LabelMap::from_fn(grid(), |at| u16::from(one(at)));
        let found = avid_lesions(&pet, &RULE, Some((&organs, &BTreeMap::new()))).unwrap();
        assert_eq!(found.list.len(), 1, "{:?}", found.list);
        assert_eq!((found.list[0].set_aside.as_deref(), found.list[0].touches.as_deref()), (None, Some("organ 1")));
        assert!((value(&found.list[0].mtv_ml) - ml_of(|at| lesion(at) && !one(at))).abs() < 1e-9);
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
