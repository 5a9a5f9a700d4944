//! Viable (enhancing) part of a liver tumour in the arterial phase.
//!
//! Definition: voxels of the lesion that enhance more than the liver does; its diameter is the longest chord in one acquired
//! slice that stays inside them, so that it does not cross a major necrotic septum (Lencioni and Llovet 2010, mRECIST).
//! The threshold lies half-way between the liver and the lesion's own enhancing part, which puts the outline where the partial
//! volume effect puts the edge. Edge cases: a lesion that nowhere enhances clearly more than the liver has no arterial
//! hyperenhancement and no viable diameter by this definition; without enough liver round it nothing can be said.

use imaging::{
    Aligned, Chord, ChordInSlice, Connectivity, Mask, Mm, Mm3, PlanarDiameters, Volume, components,
    diameter::mask_volume, intensity, longest_inside_chord, planar_diameters, smooth_planar_diameters,
    widest_inside_perpendicular,
};

use crate::evaluable::Evaluable;

/// Arterial hyperenhancement is called where the lesion's 90th percentile exceeds the liver's mean by this much. Origin: three
/// standard deviations of the smoothed noise of the phantoms (12 HU before smoothing), well below the 40–80 HU of typical
/// hyperenhancing tumours.
pub const MIN_CONTRAST_HU: f64 = 20.0;

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
    let lesion_hu = high[0];
    let enhances = lesion_hu - liver_hu >= MIN_CONTRAST_HU;
    let threshold = if enhances { f64::midpoint(liver_hu, lesion_hu) } else { f64::INFINITY };
    let pairs = smooth.values().iter().zip(lesion.values());
    let enhancing = pairs.map(|(v, set)| *set && f64::from(*v) >= threshold).collect();
    let enhancing = Mask::from_values(enhancing, lesion.grid().clone()).expect("one value was made per voxel");
    let mask = largest(&enhancing);
    let pixel = mask.grid().spacing_mm();
    let gap = Mm(pixel[0].max(pixel[1]));
    let of_pixels = longest_inside_chord(&mask, gap);
    let scale = of_pixels.map_or(1.0, |chord| shortened(chord.chord, &mask, lesion));
    let across = of_pixels.and_then(|chord| widest_inside_perpendicular(&mask, &chord, gap));
    let across = across.map(|across| scaled(across, scale));
    let chord = of_pixels.map(|one| ChordInSlice { chord: scaled(one.chord, scale), ..one });
    Evaluable::Value(Viable { chord, across, volume: mask_volume(&mask), mask, lesion_hu })
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

    #[test]
    fn without_liver_there_is_no_reference() {
        let (image, lesion) = sphere(|_| 70.0);
        assert!(liver_reference(&image, &Mask::filled(lesion.grid().clone(), false)).reason().is_some());
        assert_eq!(liver_reference(&image, &lesion), Evaluable::Value(70.0));
    }
}
