//! How a follow-up lies on baseline, for the page: two planes in which squares of both images take turns, and the figures.

use imaging::diameter::mask_centroid;
use imaging::registration::{Metric, Registration, TransformKind, WITHIN_95, warp_image, warp_mask};
use imaging::resample::Interpolation;
use imaging::{Affine, Grid, GridError, Mask, Patient, Point, Shape, contours};
use oncology::Organ;
use oncology::tracking::LesionTrack;
use report::{Covariate, Orientation, RegistrationPicture};

use crate::stages::display::{grey_window, letter};
use crate::stages::find::VisitFacts;
use crate::stages::load::LoadedSeries;
use crate::stages::registration_map::{blocks, stretch};

/// Pixel of the pictures, mm. Fine enough to see a vessel break, coarse enough for a page with a dozen visits.
pub(crate) const PIXEL_MM: f64 = 1.4;
/// Side of a square, in pixels.
const SQUARE: u32 = 20;
/// Shown beyond the organ, mm.
const RIM_MM: f64 = 15.0;
/// The largest picture, mm; also what is shown where no organ is known.
const LARGEST_MM: f64 = 300.0;

/// A plane of the baseline image: which of its axes run along columns and rows.
struct Plane {
    name: &'static str,
    axes: [usize; 2],
}

const PLANES: [Plane; 2] = [Plane { name: "axial", axes: [0, 1] }, Plane { name: "coronal", axes: [0, 2] }];

/// What was measured of a registration, in words.
pub(crate) fn figures(registration: &Registration) -> Vec<Covariate> {
    let mut figures = Vec::new();
    let mut add = |name: &str, value: Option<String>| {
        figures.extend(value.map(|value| Covariate { name: name.to_owned(), value }));
    };
    let percent = |share: f64| format!("{:.0} %", 100.0 * share);
    if let Some(spread) = &registration.estimated_error {
        let text = format!("mean {:.1} mm, largest {:.1} mm", spread.mean_mm, spread.max_mm);
        add("Moves when started from elsewhere", Some(text));
    }
    if let Some(spread) = &registration.residual {
        let text = format!("mean {:.1} mm, 95th percentile {:.1} mm", spread.mean_mm, spread.p95_mm);
        add("Local deformation left", Some(text));
    }
    add("There and back again", registration.inverse_consistency_mm.map(|mm| format!("{mm:.1} mm")));
    add("Blocks that agree", registration.matched_blocks.map(percent));
    add("Region covered", registration.overlap.map(percent));
    let likeness = registration.metric_after.map(|after| match registration.metric_before {
        Some(before) => format!("{before:.2} before, {after:.2} after"),
        None => format!("{after:.2} after"),
    });
    add("Likeness of the images", likeness);
    figures
}

/// How sure the place of each lesion of baseline is on a follow-up: the ball that holds it in 95 of 100 cases.
pub(crate) fn places(registration: &Registration, baseline: &VisitFacts, tracks: &[LesionTrack]) -> Vec<Covariate> {
    let mut places = Vec::new();
    for track in tracks {
        let labels = track.sightings.get(&0).map_or(&[][..], |seen| seen.labels.as_slice());
        let Some(lesion) = labels.iter().find_map(|label| baseline.lesion(*label)) else { continue };
        let value = match registration.error_near(&lesion.mask) {
            Some(error) => format!("within {:.1} mm (95 %)", WITHIN_95 * error.sigma().0),
            None => "not known: nothing there tells the registration's error".to_owned(),
        };
        places.push(Covariate { name: format!("Place of {}", track.id), value });
    }
    places
}

/// How follow-ups were registered, as a sentence of the methods.
pub(crate) fn method(visits: &[VisitFacts]) -> String {
    let kinds = [
        (TransformKind::Rigid, "rigidly"),
        (TransformKind::Affine, "by affine maps"),
        (TransformKind::Deformable, "by smooth bending that leaves lesions their shape (after a rigid start)"),
    ];
    let is_moved = |r: &Registration, kind| r.transform == Some(kind) && !r.is_as_placed();
    let of = |kind: TransformKind| visits.iter().filter(|v| is_moved(&v.to_baseline, kind)).count();
    let mut used: Vec<&str> = kinds.iter().filter(|(kind, _)| of(*kind) > 0).map(|(_, words)| *words).collect();
    if used.is_empty() {
        return "Follow-ups lie in baseline's frame of reference, or could not be registered to it.".to_owned();
    }
    if visits.iter().skip(1).any(|v| v.to_baseline.is_as_placed()) {
        used.push("(of one frame of reference) as the scanner placed them, borne out by the images,");
    }
    let is_mutual = |v: &VisitFacts| matches!(v.to_baseline.metric, Some(Metric::MattesMutualInformation { .. }));
    let likeness = if visits.iter().any(is_mutual) {
        "normalised correlation or, of two modalities, mutual information"
    } else {
        "normalised correlation"
    };
    format!(
        "Follow-ups were registered to baseline {} by {likeness}, coarse to fine, with lesions and zones taken out of the metric; the error was estimated from repeated starts, from the inverse registration and from what blocks of the region still wanted to move.",
        used.join(" or ")
    )
}

/// The two planes through the middle of the organ at baseline (of the image, where no organ is known). None where the
/// registration cannot be turned round or a plane has no extent.
pub(crate) fn pictures(
    baseline: &LoadedSeries,
    baseline_facts: &VisitFacts,
    follow_up: &LoadedSeries,
    follow_up_facts: &VisitFacts,
) -> Vec<RegistrationPicture> {
    let pair = Pair { baseline, baseline_facts, follow_up, follow_up_facts };
    PLANES.iter().filter_map(|plane| pair.picture(plane).ok()).collect()
}

struct Pair<'a> {
    baseline: &'a LoadedSeries,
    baseline_facts: &'a VisitFacts,
    follow_up: &'a LoadedSeries,
    follow_up_facts: &'a VisitFacts,
}

impl Pair<'_> {
    fn picture(&self, plane: &Plane) -> Result<RegistrationPicture, GridError> {
        let (grid, orientation) = self.plane_grid(plane)?;
        let registrations = [&self.baseline_facts.to_baseline, &self.follow_up_facts.to_baseline];
        let [baseline_pixels, follow_up_pixels] =
            [grey(self.baseline, &grid, registrations[0])?, grey(self.follow_up, &grid, registrations[1])?];
        let shape = grid.shape();
        let outlined = |facts: &VisitFacts| {
            facts.organ.as_ref().map_or(Ok(Vec::new()), |organ| outlines(organ, &grid, &facts.to_baseline))
        };
        let place = if self.baseline_facts.organ.is_some() { "organ" } else { "image" };
        Ok(RegistrationPicture {
            title: format!("{}, through the middle of the {place} at baseline", plane.name),
            width: shape.ni as u32,
            height: shape.nj as u32,
            baseline_pixels,
            follow_up_pixels,
            pixel_mm: [PIXEL_MM; 2],
            square: SQUARE,
            baseline_outlines: outlined(self.baseline_facts)?,
            follow_up_outlines: outlined(self.follow_up_facts)?,
            orientation,
            stretch: stretch(self.baseline_facts.organ.as_ref(), &grid, registrations[1])?,
            blocks: blocks(&grid, registrations[1]),
        })
    }

    /// One layer of pixels in display order: patient's right on the left, front or head above.
    fn plane_grid(&self, plane: &Plane) -> Result<(Grid, Orientation), GridError> {
        let volume = &self.baseline.image;
        let (center, size) = self.region(plane);
        let directions = volume.grid().directions();
        let along = |axis: usize| [0, 1, 2].map(|row| directions[(row, axis)]);
        let flipped = |v: [f64; 3], from: [&str; 3]| if from.contains(&letter(v)) { v.map(|c| -c) } else { v };
        let right = flipped(along(plane.axes[0]), ["R", "A", "F"]);
        let down = flipped(along(plane.axes[1]), ["A", "H", "R"]);
        let through = along(3 - plane.axes[0] - plane.axes[1]);
        let [columns, rows] = size.map(|mm| (mm / PIXEL_MM).round().max(1.0));
        let first = |axis: usize| {
            center.to_array()[axis] - PIXEL_MM * (right[axis] * (columns - 1.0) / 2.0 + down[axis] * (rows - 1.0) / 2.0)
        };
        let row = |axis: usize| [right[axis] * PIXEL_MM, down[axis] * PIXEL_MM, through[axis] * PIXEL_MM, first(axis)];
        let to_patient =
            Affine::from_rows([row(0), row(1), row(2), [0.0, 0.0, 0.0, 1.0]]).ok_or(GridError::Singular)?;
        let shape = Shape { ni: columns as usize, nj: rows as usize, nk: 1 };
        let opposite = |v: [f64; 3]| letter(v.map(|c| -c)).to_owned();
        let orientation = Orientation {
            left: opposite(right),
            right: letter(right).to_owned(),
            top: opposite(down),
            bottom: letter(down).to_owned(),
        };
        Ok((Grid::new(shape, to_patient, volume.grid().frame().clone())?, orientation))
    }

    /// Middle and size of what is shown, mm along the plane's two axes.
    fn region(&self, plane: &Plane) -> (Point<Patient>, [f64; 2]) {
        let of_organ = self.baseline_facts.organ.as_ref().and_then(|organ| {
            let center = mask_centroid(organ)?;
            let (low, high) = organ.bounding_box()?;
            let (low, high) = ([low.i, low.j, low.k], [high.i, high.j, high.k]);
            let spacing = organ.grid().spacing_mm();
            // The centroid need not be the middle of the box: what is shown reaches as far to both sides.
            let at = organ.grid().patient_to_voxel().apply(center).to_array();
            let reach = |axis: usize| (at[axis] - low[axis] as f64).max(high[axis] as f64 - at[axis]) * spacing[axis];
            Some((center, plane.axes.map(|axis| 2.0 * (reach(axis) + RIM_MM))))
        });
        let (center, size) = of_organ.unwrap_or_else(|| {
            let grid = self.baseline.image.grid();
            let shape = [grid.shape().ni, grid.shape().nj, grid.shape().nk];
            let middle = imaging::Index3 { i: shape[0] / 2, j: shape[1] / 2, k: shape[2] / 2 };
            (grid.center(middle), plane.axes.map(|axis| shape[axis] as f64 * grid.spacing_mm()[axis]))
        });
        (center, size.map(|mm| mm.min(LARGEST_MM)))
    }
}

/// The layer of a series as grey values; beyond the series black.
fn grey(series: &LoadedSeries, grid: &Grid, to_baseline: &Registration) -> Result<Vec<u8>, GridError> {
    let (low, high) = grey_window(series, &Organ::Liver);
    let layer = warp_image(to_baseline, &series.image, grid, Interpolation::Linear, low)?;
    let grey = layer.values().iter().map(|v| (255.0 * ((v - low) / (high - low)).clamp(0.0, 1.0)).round() as u8);
    Ok(grey.collect())
}

fn outlines(organ: &Mask, grid: &Grid, to_baseline: &Registration) -> Result<Vec<Vec<[f64; 2]>>, GridError> {
    let layer = warp_mask(to_baseline, organ, grid)?;
    let pixel = |p: &Point<Patient>| {
        let [x, y, _] = grid.patient_to_voxel().apply(*p).to_array();
        [x, y]
    };
    Ok(contours(&layer, 0).iter().map(|contour| contour.points.iter().map(pixel).collect()).collect())
}
