//! Stage *measure*: the sizes of every lesion found at one visit.

use imaging::diameter::mask_volume;
use imaging::{
    Affine, Chord, Component, Connectivity, Interpolation, Mask, Mm, Mm3, Note, Pieces, PlanarDiameters, Volume,
    components, lesion_diameters, resample, smooth_planar_diameters,
};
use oncology::Evaluable;
use oncology::measure::diffusion::{Diffusion, diffusion};
use oncology::measure::metabolic_volume::{MetabolicVolumes, metabolic_volumes};
use oncology::measure::suv_peak::suv_peak;
use oncology::measure::uptake::hottest;
use oncology::measure::viable::{liver_reference, viable};
use oncology::measure::voxels::voxels_of;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::stages::dose::LesionDose;
use crate::stages::load::LoadedSeries;
use crate::stages::phase;
use crate::stages::segment::{Found, Instance};

/// Air, where a window reaches beyond the arterial image.
const OUTSIDE_HU: f32 = -1024.0;

/// The viable part of one lesion.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ViablePart {
    /// Longest chord inside it and the arterial slice it lies in; `None` when nothing enhances.
    pub(crate) chord: Option<Chord>,
    /// The widest perpendicular of that chord inside it.
    #[serde(default)]
    pub(crate) across: Option<Chord>,
    /// Its volume.
    pub(crate) volume: Mm3,
    /// Its voxels, on the lesion's own window.
    #[serde(with = "crate::observed::mask")]
    pub(crate) mask: Mask,
}

/// What was measured of one lesion at one visit.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Sizes {
    /// Label in the visit's map.
    pub(crate) label: u16,
    /// Long and short axis; the slice index is the series' own.
    pub(crate) planar: Evaluable<PlanarDiameters>,
    /// Of an outline in several pieces, the diameters of those beside the longest, from the longest on.
    #[serde(default)]
    pub(crate) further_pieces: Vec<PlanarDiameters>,
    /// Slice of the planar diameters on the series' grid.
    pub(crate) slice_k: Option<usize>,
    /// Volume by voxels.
    pub(crate) volume: Mm3,
    /// Longest diameter in space, mm.
    pub(crate) max_3d_mm: Evaluable<f64>,
    /// Viable part.
    pub(crate) viable: Evaluable<ViablePart>,
    /// Largest standardised uptake value.
    pub(crate) suv_max: Evaluable<f64>,
    /// Highest mean uptake in 1 cm³.
    #[serde(default = "not_yet")]
    pub(crate) suv_peak: Evaluable<f64>,
    /// Mean uptake, metabolic volumes and glycolysis.
    #[serde(default = "no_volumes_yet")]
    pub(crate) metabolic: Evaluable<MetabolicVolumes>,
    /// Apparent diffusion coefficient, in the map's unit.
    #[serde(default = "no_diffusion_yet")]
    pub(crate) diffusion: Evaluable<Diffusion>,
    /// Radiotherapy dose; `None` at a visit without one.
    pub(crate) dose: Option<LesionDose>,
    /// Why no size holds: the lesion may go on where slices are missing; `None` when it does not touch the image's ends.
    pub(crate) cut: Option<String>,
}

impl Sizes {
    /// The diameters of all pieces of the outline, the longest first; none where they are not evaluable.
    pub(crate) fn pieces(&self) -> Vec<PlanarDiameters> {
        let Some(longest) = self.planar.value() else { return Vec::new() };
        std::iter::once(longest).chain(&self.further_pieces).copied().collect()
    }
}

/// From this longest diameter on a piece of an outline is a fragment of the lesion; what is smaller is a speck of the mask, which
/// RECIST would call too small to measure (Eisenhauer et al. 2009 §3.1.2, §4.3.2).
const LEAST_FRAGMENT: Mm = Mm(5.0);

/// The diameters of the outline's pieces beside the longest.
fn further_pieces(mask: &Mask) -> Vec<PlanarDiameters> {
    let parts = components(mask, Connectivity::Corners);
    if parts.list.len() < 2 {
        return Vec::new();
    }
    let of_part = |part: &Component| smooth_planar_diameters(&parts.mask(part.label));
    let mut found: Vec<PlanarDiameters> = parts.list.iter().filter_map(of_part).collect();
    found.sort_by(|a, b| b.long_axis.length().0.total_cmp(&a.long_axis.length().0));
    found.into_iter().skip(1).filter(|part| part.long_axis.length().0 >= LEAST_FRAGMENT.0).collect()
}

/// Why what earlier versions did not measure has no number.
pub(crate) const NOT_YET: &str = "not measured by the version that read this image; run the patient again";

fn not_yet() -> Evaluable<f64> {
    Evaluable::not(NOT_YET)
}

fn no_volumes_yet() -> Evaluable<MetabolicVolumes> {
    Evaluable::not(NOT_YET)
}

fn no_diffusion_yet() -> Evaluable<Diffusion> {
    Evaluable::not(NOT_YET)
}

/// Series of a visit that are read beside the measured one.
#[derive(Clone, Copy, Default)]
pub(crate) struct Beside<'a> {
    /// For viable tumour.
    pub(crate) arterial: Option<&'a Arterial<'a>>,
    /// For uptake.
    pub(crate) pet: Option<&'a LoadedSeries>,
    /// For the apparent diffusion coefficient; or why it cannot be read.
    pub(crate) adc: Option<Result<&'a LoadedSeries, &'a String>>,
}

/// The arterial phase with its reference, ready to measure viable tumour.
pub(crate) struct Arterial<'a> {
    series: &'a LoadedSeries,
    liver_hu: Evaluable<f64>,
}

impl Arterial<'_> {
    /// Why it says nothing of enhancement.
    pub(crate) fn unfit(&self) -> Option<String> {
        self.liver_hu.reason().map(ToOwned::to_owned)
    }
}

/// Prepares the arterial phase: the liver's mean without lesions and zones, and whether it is arterial at all.
pub(crate) fn arterial<'a>(
    series: &'a LoadedSeries,
    measured: &LoadedSeries,
    found: &Found,
    notes: &mut Vec<Note>,
) -> Arterial<'a> {
    let liver_hu = healthy_liver(series, measured, found);
    let doubt = phase::check(series, &liver_hu, found, notes);
    Arterial { series, liver_hu: doubt.map_or(liver_hu, Evaluable::NotEvaluable) }
}

/// Mean of the liver without lesions and zones in any series of the visit.
pub(crate) fn healthy_liver(series: &LoadedSeries, measured: &LoadedSeries, found: &Found) -> Evaluable<f64> {
    let Some(healthy) = healthy(found) else {
        return Evaluable::not("no outline of the liver to compare enhancement with");
    };
    if series.image.grid().frame() != measured.image.grid().frame() {
        return Evaluable::not(format!(
            "the series {} lies in another frame of reference than the measured series",
            series.role
        ));
    }
    let on_series = if series.image.grid().max_distance_mm(healthy.grid()) <= imaging::grid::GRID_TOLERANCE_MM {
        healthy.with_grid(series.image.grid().clone()).expect("the shapes are equal")
    } else {
        resample::resample_mask(&healthy, series.image.grid(), &Affine::identity())
    };
    liver_reference(&series.image, &on_series)
}

/// The liver without lesions and zones, where it was outlined.
pub(crate) fn healthy(found: &Found) -> Option<Mask> {
    let organ = found.organ.as_ref()?;
    let ill = found.lesion_map.values().par_iter().zip(found.zone_map.values());
    let healthy = organ.values().par_iter().zip(ill);
    let healthy = healthy.map(|(set, (lesion, zone))| *set && *lesion == 0 && *zone == 0).collect();
    Some(Mask::from_values(healthy, organ.grid().clone()).expect("organ and lesion maps lie on one grid"))
}

/// Measures every lesion of a visit.
pub(crate) fn measure(measured: &LoadedSeries, found: &Found, beside: Beside<'_>, notes: &mut Vec<Note>) -> Vec<Sizes> {
    if let Some(pet) = beside.pet.filter(|pet| pet.unit != "SUVbw") {
        notes.push(Note::warning(
            "pet_without_suv",
            pet.role.clone(),
            format!("the PET holds {}; no uptake value is reported", pet.unit),
        ));
    }
    if let Some(Ok(adc)) = beside.adc.filter(|_| !found.lesions.is_empty()) {
        let message = "no unit is read from the header of an ADC map, and its values are told as they are stored; most scanners store 10^-6 mm²/s: compare them with a tissue you know before you join patients of several scanners. Outlines are laid on the map as the scanner placed it; echo-planar images may be warped";
        notes.push(Note::info("adc_as_stored", adc.role.clone(), message.to_owned()));
    }
    found.lesions.par_iter().map(|lesion| sizes(lesion, measured, beside)).collect()
}

fn sizes(lesion: &Instance, measured: &LoadedSeries, beside: Beside<'_>) -> Sizes {
    let (planar, in_space) =
        lesion_diameters(&lesion.mask, Pieces::EachByItself).map(|found| (found.planar, found.in_space)).unzip();
    let slice_k = planar.as_ref().and_then(|found| {
        let k = measured.image.grid().patient_to_voxel().apply(found.long_axis.start).coords.z;
        let k = k.round();
        (k >= 0.0 && k < measured.image.shape().nk as f64).then_some(k as usize)
    });
    let (suv_max, suv_peak, metabolic) = uptake(lesion, beside.pet);
    Sizes {
        label: lesion.label,
        planar: planar.map_or_else(|| Evaluable::not("the lesion's mask is empty"), Evaluable::Value),
        further_pieces: further_pieces(&lesion.mask),
        slice_k,
        volume: mask_volume(&lesion.mask),
        max_3d_mm: in_space
            .map_or_else(|| Evaluable::not("the lesion's mask is empty"), |chord| Evaluable::Value(chord.length().0)),
        viable: match beside.arterial {
            None => Evaluable::not("no arterial phase at this visit"),
            Some(arterial) => viable_part(lesion, arterial),
        },
        suv_max,
        suv_peak,
        metabolic,
        diffusion: match beside.adc {
            None => Evaluable::not("no ADC map at this visit"),
            Some(Err(reason)) => Evaluable::not(reason.clone()),
            Some(Ok(adc)) => diffusion_of(lesion, &adc.image),
        },
        dose: None,
        cut: None,
    }
}

/// SUVmax, SUVpeak, and mean uptake with metabolic volumes.
type Uptake = (Evaluable<f64>, Evaluable<f64>, Evaluable<MetabolicVolumes>);

fn uptake(lesion: &Instance, pet: Option<&LoadedSeries>) -> Uptake {
    let voxels = match pet {
        None => Evaluable::not("no PET at this visit"),
        Some(pet) if pet.unit == "SUVbw" => {
            voxels_of(&pet.image, &lesion.mask, "PET").map(|voxels| (&pet.image, voxels))
        }
        Some(pet) => Evaluable::not(format!("the PET holds {}, not SUVbw", pet.unit)),
    };
    match voxels {
        Evaluable::Value((pet, voxels)) => {
            let volumes = metabolic_volumes(pet, &voxels, mask_volume(&lesion.mask));
            (hottest(pet, &voxels), suv_peak(pet, voxels), volumes)
        }
        Evaluable::NotEvaluable(reason) => {
            (Evaluable::not(reason.clone()), Evaluable::not(reason.clone()), Evaluable::not(reason))
        }
    }
}

fn diffusion_of(lesion: &Instance, map: &Volume<f32>) -> Evaluable<Diffusion> {
    match voxels_of(map, &lesion.mask, "ADC map") {
        Evaluable::Value(voxels) => diffusion(map, &voxels),
        Evaluable::NotEvaluable(reason) => Evaluable::NotEvaluable(reason),
    }
}

/// Lesions that touch the image's end. Not evaluable where their longest diameter may lie beyond it, or where the image may have been
/// shortened there; else noted.
pub(crate) fn mark_cut(sizes: &mut [Sizes], found: &Found, shortened: Option<&str>, notes: &mut Vec<Note>) {
    let shape = found.lesion_map.shape();
    if shape.nk < 2 {
        return;
    }
    let boxes = found.lesion_map.label_boxes();
    for sizes in sizes {
        let Some((low, high)) = boxes.get(&sizes.label) else { continue };
        let at_side = low.i == 0 || low.j == 0 || high.i + 1 == shape.ni || high.j + 1 == shape.nj;
        let at_end = low.k == 0 || high.k + 1 == shape.nk;
        let longest_at_end = at_end && sizes.slice_k.is_some_and(|k| k == 0 || k + 1 == shape.nk);
        let end = "the lesion touches the image's first or last slice";
        let (message, is_cut) = match shortened.filter(|_| at_end) {
            Some(reason) => (format!("{end}, and {reason}"), true),
            None if at_side => ("the lesion touches the border of its slices and may go on beyond it".to_owned(), true),
            None if longest_at_end => (format!("{end} and is longest there: it may be longer beyond it"), true),
            None if at_end => (format!("{end} and may go on beyond it"), false),
            None => continue,
        };
        notes.push(Note::warning("lesion_at_image_end", format!("label {}", sizes.label), message.clone()));
        if is_cut {
            sizes.planar = Evaluable::not(message.clone());
            sizes.viable = Evaluable::not(message.clone());
            sizes.cut = Some(message);
        }
    }
}

fn viable_part(lesion: &Instance, arterial: &Arterial<'_>) -> Evaluable<ViablePart> {
    let liver_hu = match &arterial.liver_hu {
        Evaluable::Value(liver_hu) => *liver_hu,
        Evaluable::NotEvaluable(reason) => return Evaluable::not(reason.clone()),
    };
    let window = match arterial_window(&arterial.series.image, lesion) {
        Evaluable::Value(window) => window,
        Evaluable::NotEvaluable(reason) => return Evaluable::not(reason),
    };
    viable(&window, &lesion.mask, liver_hu).map(|found| ViablePart {
        across: found.across,
        chord: found.chord.map(|c| c.chord),
        volume: found.volume,
        mask: found.mask,
    })
}

/// Of a lesion this share may lie outside an image that shows it: the rim of voxels cut by the image's end.
const MAX_OUTSIDE: f64 = 0.01;

/// The arterial image round a lesion, on its window; not evaluable where it does not show all of the lesion.
fn arterial_window(image: &Volume<f32>, lesion: &Instance) -> Evaluable<Volume<f32>> {
    let outside = lesion.mask.share_outside(image.grid());
    if outside > MAX_OUTSIDE {
        let reason = format!("{:.0} % of the lesion lies outside the arterial series", (100.0 * outside).max(1.0));
        return Evaluable::not(reason);
    }
    let window = resample::resample(image, lesion.mask.grid(), &Affine::identity(), Interpolation::Linear, OUTSIDE_HU);
    Evaluable::Value(window)
}
