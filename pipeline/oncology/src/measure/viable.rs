//! Viable (enhancing) part of a liver tumour in the arterial phase.
//!
//! Definition: voxels of the lesion that enhance more than the liver does; its diameter is the longest chord in one acquired
//! slice that stays inside them, so that it does not cross a major necrotic septum (Lencioni and Llovet 2010, mRECIST).
//! What enhances clearly more than the liver is looked for first, however small a part of the lesion it is; of each such part the
//! threshold lies half-way between the liver and the part's own enhancement, which puts the outline where the partial volume effect puts
//! the edge. Edge cases: a lesion that nowhere enhances clearly more than the liver has no arterial hyperenhancement and no viable
//! diameter by this definition; specks of noise and the blurred edge of a bright neighbour are no tumour; without enough liver round it
//! nothing can be said.

use std::collections::BTreeSet;

use imaging::{
    Aligned, Chord, ChordInSlice, Connectivity, Mask, Mm, Mm3, PlanarDiameters, Volume, components,
    diameter::mask_volume, distance::signed_distance, intensity, longest_inside_chord, planar_diameters,
    smooth_planar_diameters, united, widest_inside_perpendicular,
};

use crate::evaluable::Evaluable;

/// Arterial hyperenhancement is called where a part of the lesion exceeds the liver's mean by this much. Origin: three
/// standard deviations of the smoothed noise of the phantoms (12 HU before smoothing), well below the 40–80 HU of typical
/// hyperenhancing tumours.
pub const MIN_CONTRAST_HU: f64 = 20.0;

/// What enhances in this share of a lesion is no speck and no blurred edge, wherever it lies: a thin rim makes more.
const LARGE_SHARE: f64 = 0.1;

/// Of less than that a part of fewer mm³ is a speck: a ball of 5 mm, half of the 10 mm from which mRECIST measures viable tumour.
pub const LEAST_PART: Mm3 = Mm3(65.0);

/// And one that lies less deep in the lesion is the blurred edge of a bright neighbour. Origin: twice [`SMOOTHING`].
const DEEPER_THAN_AN_EDGE: Mm = Mm(2.0);

/// Of a small lesion the edge is this share of its depth.
const EDGE_OF_DEPTH: f64 = 0.4;

/// This share of a part at least lies deeper than an edge. Origin: of a ball of 5 mm that touches the lesion's outline a half does, of the
/// blurred edge of a neighbour next to nothing.
const LEAST_DEEP_SHARE: f64 = 0.1;

/// Smoothing before thresholding, standard deviation in mm. Origin: about one pixel; noise falls threefold, a 10 mm nodule
/// keeps its diameter within half a pixel.
pub const SMOOTHING: Mm = Mm(1.0);

/// At least so many voxels of liver are needed for a reference. Origin: a mean of 500 voxels of 12 HU noise is good to 1 HU.
const MIN_LIVER_VOXELS: usize = 500;

/// What was found of viable tumour.
#[derive(Debug, Clone, PartialEq)]
pub struct Viable {
    /// Longest chord inside the viable part; `None` when nothing enhances.
    pub chord: Option<ChordInSlice>,
    /// The widest perpendicular of that chord inside the viable part.
    pub across: Option<Chord>,
    /// Volume of the viable part.
    pub volume: Mm3,
    /// Its voxels, on the arterial image's grid.
    pub mask: Mask,
    /// 90th percentile of the lesion, HU.
    pub lesion_hu: f64,
}

/// Mean of the liver in the arterial phase, HU; `liver` without lesions and zones, on the arterial image's grid.
pub fn liver_reference(arterial: &Volume<f32>, liver: &Mask) -> Evaluable<f64> {
    let Ok(pair) = Aligned::new(arterial, liver) else {
        return Evaluable::not("the liver's outline does not lie on the arterial image's grid");
    };
    match intensity::statistics(&pair) {
        Some(statistics) if statistics.n_voxels >= MIN_LIVER_VOXELS => Evaluable::Value(statistics.mean),
        _ => Evaluable::not(format!(
            "fewer than {MIN_LIVER_VOXELS} voxels of liver in the arterial phase to compare the lesion with"
        )),
    }
}

/// Measures the viable part of a lesion. `arterial` in HU, cut to the lesion with a rim of a few voxels; `lesion` on its grid;
/// `liver_hu` from [`liver_reference`].
pub fn viable(arterial: &Volume<f32>, lesion: &Mask, liver_hu: f64) -> Evaluable<Viable> {
    if Aligned::new(arterial, lesion).is_err() {
        return Evaluable::not("the lesion's outline does not lie on the arterial image's grid");
    }
    let smooth = intensity::smooth(arterial, SMOOTHING);
    let inside: Vec<f32> =
        smooth.values().iter().zip(lesion.values()).filter(|(_, set)| **set).map(|(v, _)| *v).collect();
    let Some(high) = intensity::percentiles(&inside, &[90.0]) else {
        return Evaluable::not("the lesion has no voxel in the arterial image");
    };
    let parts = enhancing_parts(&smooth, lesion, liver_hu);
    let nothing = || Mask::filled(lesion.grid().clone(), false);
    let all = united(&parts.iter().collect::<Vec<_>>()).unwrap_or_else(nothing);
    let mask = parts.into_iter().max_by_key(Mask::n_voxels_set).unwrap_or_else(nothing);
    let pixel = mask.grid().spacing_mm();
    let gap = Mm(pixel[0].max(pixel[1]));
    let of_pixels = longest_inside_chord(&mask, gap);
    let scale = of_pixels.map_or(1.0, |chord| shortened(chord.chord, &mask, lesion));
    let across = of_pixels.and_then(|chord| widest_inside_perpendicular(&mask, &chord, gap));
    let across = across.map(|across| scaled(across, scale));
    let chord = of_pixels.map(|one| ChordInSlice { chord: scaled(one.chord, scale), ..one });
    Evaluable::Value(Viable { chord, across, volume: mask_volume(&all), mask: all, lesion_hu: high[0] })
}

/// The parts of a lesion that enhance clearly more than the liver, each up to half-way between the liver and its own enhancement.
fn enhancing_parts(smooth: &Volume<f32>, lesion: &Mask, liver_hu: f64) -> Vec<Mask> {
    let brighter = |than: f64| {
        let pairs = smooth.values().iter().zip(lesion.values());
        let values = pairs.map(|(v, set)| *set && f64::from(*v) >= than).collect();
        components(
            &Mask::from_values(values, lesion.grid().clone()).expect("one value was made per voxel"),
            Connectivity::Corners,
        )
    };
    let (deep, whole_mm3) = (deeper_than_an_edge(lesion), mask_volume(lesion).0);
    let is_tumour = |mask: &Mask| {
        let n_deep = mask.values().iter().zip(deep.values()).filter(|(set, deep)| **set && **deep).count();
        let is_deep = n_deep as f64 >= LEAST_DEEP_SHARE * mask.n_voxels_set() as f64;
        let mm3 = mask_volume(mask).0;
        mm3 >= LARGE_SHARE * whole_mm3 || (mm3 >= LEAST_PART.0 && is_deep)
    };
    let seeds = brighter(liver_hu + MIN_CONTRAST_HU);
    let voxel_mm3 = lesion.grid().voxel_volume_mm3();
    let least_seed = 0.5 * LEAST_PART.0.min(LARGE_SHARE * whole_mm3);
    let mut parts: Vec<Mask> = Vec::new();
    for seed in seeds.list.iter().filter(|seed| seed.n_voxels as f64 * voxel_mm3 >= least_seed) {
        let labels = seeds.labels.values();
        let values: Vec<f32> =
            smooth.values().iter().zip(labels).filter(|(_, l)| **l == seed.label).map(|(v, _)| *v).collect();
        let Some(own_hu) = intensity::percentiles(&values, &[90.0]) else { continue };
        let grown = brighter(f64::midpoint(liver_hu, own_hu[0]));
        let pairs = grown.labels.values().iter().zip(labels);
        let held: BTreeSet<u32> = pairs.filter(|(g, l)| **g != 0 && **l == seed.label).map(|(g, _)| *g).collect();
        let mask = largest(&grown.labels.map(|label| held.contains(label)));
        let is_known = parts.iter().any(|of| of.values().iter().zip(mask.values()).any(|(a, b)| *a && *b));
        if !is_known && is_tumour(&mask) {
            parts.push(mask);
        }
    }
    parts
}

/// The voxels of a lesion that lie deeper in it than the blurred edge of a neighbour reaches; of a small one, than most of its own.
fn deeper_than_an_edge(lesion: &Mask) -> Mask {
    let Ok(distance) = signed_distance(lesion) else { return lesion.clone() };
    let deepest = distance.values().iter().fold(0.0, |deepest: f64, d| deepest.max(-d));
    let edge = DEEPER_THAN_AN_EDGE.0.min(EDGE_OF_DEPTH * deepest);
    distance.map(|d| -d > edge)
}

/// By how much the outline of the pixels makes a chord of the viable part too long, as a factor of at most 1: the smooth outline, by
/// which whole lesions are measured, has a shorter longest axis; and no part is longer than the whole.
fn shortened(chord: Chord, viable: &Mask, lesion: &Mask) -> f64 {
    let long = |planar: PlanarDiameters| planar.long_axis.length().0;
    let (pixels, smooth) = (planar_diameters(viable).map(long), smooth_planar_diameters(viable).map(long));
    let of_outline = pixels.zip(smooth).map_or(1.0, |(pixels, smooth)| smooth / pixels);
    let of_whole = smooth_planar_diameters(lesion).map_or(1.0, |whole| long(whole) / chord.length().0);
    let scale = of_outline.min(of_whole).min(1.0);
    if scale.is_finite() { scale } else { 1.0 }
}

/// A chord made shorter on both ends; its middle and direction stay.
fn scaled(chord: Chord, scale: f64) -> Chord {
    let Chord { start, end } = chord;
    let (middle, half) = (start + (end - start) * 0.5, (end - start) * (0.5 * scale));
    Chord { start: middle - half, end: middle + half }
}

/// The largest connected part: scattered noise above the threshold is no tumour.
fn largest(mask: &Mask) -> Mask {
    let found = components(mask, Connectivity::Corners);
    found.largest().map_or_else(|| mask.clone(), |part| found.mask(part.label))
}

#[cfg(test)]
mod tests {
    use super::*;
    use imaging::{FrameId, Grid, Point, Shape};
    use nalgebra::Matrix3;

    /// A sphere of 15 mm radius round the origin; `hu` of the distance from it.
    fn sphere(hu: impl Fn(f64) -> f32) -> (Volume<f32>, Mask) {
        let shape = Shape { ni: 45, nj: 45, nk: 21 };
        let origin = Point::new(-22.0, -22.3, -20.0);
        let grid =
            Grid::from_directions(shape, origin, [1.0, 1.0, 2.0], Matrix3::identity(), FrameId::new("f")).unwrap();
        let radius = |at| grid.center(at).distance(Point::new(0.0, 0.0, 0.0));
        (Volume::from_fn(grid.clone(), |at| hu(radius(at))), Mask::from_fn(grid.clone(), |at| radius(at) <= 15.0))
    }

    #[test]
    fn a_necrotic_core_is_not_crossed() {
        let (image, lesion) = sphere(|r| {
            if r < 7.5 {
                30.0
            } else if r < 15.0 {
                140.0
            } else {
                70.0
            }
        });
        let found = viable(&image, &lesion, 70.0).value().cloned().unwrap();
        // The longest chord of an annulus of radii 15 and 7.5 that stays outside the core: 2 √(15² − 7.5²) = 26.0 mm.
        let length = found.chord.unwrap().chord.length().0;
        assert!((length - 26.0).abs() < 1.5, "{length}");
        let (solid, lesion) = sphere(|r| if r < 15.0 { 140.0 } else { 70.0 });
        let length = viable(&solid, &lesion, 70.0).value().unwrap().chord.unwrap().chord.length().0;
        assert!((length - 30.0).abs() < 1.5, "{length}");
    }

    #[test]
    fn a_part_is_not_longer_than_the_whole_of_which_it_is_all() {
        let (solid, lesion) = sphere(|r| if r < 15.0 { 140.0 } else { 70.0 });
        let found = viable(&solid, &lesion, 70.0).value().cloned().unwrap();
        let of_its_own = smooth_planar_diameters(&found.mask).unwrap();
        let (length, across) = (found.chord.unwrap().chord.length().0, found.across.unwrap().length().0);
        let whole = smooth_planar_diameters(&lesion).unwrap().long_axis.length().0;
        assert!((length - of_its_own.long_axis.length().0.min(whole)).abs() < 1e-9, "{length} {whole}");
        assert!((across - of_its_own.short_axis.length().0).abs() < 0.5, "{across}");
    }

    #[test]
    fn a_lesion_darker_than_the_liver_has_no_viable_diameter() {
        let (image, lesion) = sphere(|r| if r < 15.0 { 50.0 } else { 70.0 });
        assert_eq!(viable(&image, &lesion, 70.0).value().unwrap().chord, None);
    }

    /// The sphere, necrotic, with a ball of this radius and brightness whose middle lies so far along x.
    fn with_nodule(radius: f64, at: f64, hu: f32) -> (Volume<f32>, Mask) {
        let (necrotic, lesion) = sphere(|r| if r < 15.0 { 30.0 } else { 70.0 });
        let grid = necrotic.grid().clone();
        let image = Volume::from_fn(grid.clone(), |voxel| {
            if grid.center(voxel).distance(Point::new(at, 0.0, 0.0)) <= radius { hu } else { *necrotic.at(voxel) }
        });
        (image, lesion)
    }

    #[test]
    fn a_small_viable_rest_of_a_large_lesion_is_not_overlooked() {
        for (radius, at) in [(6.5, 0.0), (6.5, 8.0), (4.0, 3.0), (5.0, -9.0)] {
            let (image, lesion) = with_nodule(radius, at, 140.0);
            let found = viable(&image, &lesion, 70.0).value().cloned().unwrap();
            let length = found.chord.unwrap().chord.length().0;
            assert!((length - 2.0 * radius).abs() < 2.0, "{length} of {}", 2.0 * radius);
            let truth = 4.0 / 3.0 * std::f64::consts::PI * radius.powi(3);
            // Of small balls between liver and necrosis the blurred edge is lost: up to 41 % of 8 mm.
            assert!((0.55..1.15).contains(&(found.volume.0 / truth)), "{} of {truth}", found.volume.0);
        }
        // A speck of 3 mm is none.
        let (image, lesion) = with_nodule(1.5, 0.0, 140.0);
        assert_eq!(viable(&image, &lesion, 70.0).value().unwrap().chord, None);
    }

    #[test]
    fn a_bright_neighbour_is_no_viable_tumour_and_two_nodules_are_both_counted() {
        // The ball lies outside but for its edge.
        let (image, lesion) = with_nodule(9.0, 23.4, 250.0);
        assert_eq!(viable(&image, &lesion, 70.0).value().unwrap().chord, None);
        let (one, lesion) = with_nodule(5.0, -7.0, 140.0);
        let (other, _) = with_nodule(4.0, 7.0, 140.0);
        let both = one.values().iter().zip(other.values()).map(|(a, b)| a.max(*b)).collect();
        let both = Volume::from_values(both, one.grid().clone()).unwrap();
        let of = |image: &Volume<f32>| viable(image, &lesion, 70.0).value().cloned().unwrap();
        assert!((of(&both).volume.0 - of(&one).volume.0 - of(&other).volume.0).abs() < 1e-6);
        let chords = [&both, &one].map(|image| of(image).chord.unwrap().chord.length().0);
        assert!((chords[0] - chords[1]).abs() < 1e-9, "the larger one's diameter, {chords:?}");
    }

    #[test]
    fn without_liver_there_is_no_reference() {
        let (image, lesion) = sphere(|_| 70.0);
        assert!(liver_reference(&image, &Mask::filled(lesion.grid().clone(), false)).reason().is_some());
        assert_eq!(liver_reference(&image, &lesion), Evaluable::Value(70.0));
    }
}
