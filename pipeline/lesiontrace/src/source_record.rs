//! What each visit's outlines were drawn on, and which label is which lesion: `sources.json` in the patient's folder, which
//! `export` reads. It names images by their identifiers, never by their files.

use std::collections::BTreeMap;

use formats::dicom::SliceHeader;
use formats::dicom::geometry::SLICE_POSITION_TOLERANCE_MM;
use imaging::{Affine, FrameId, Grid, Index3, Point, Shape};
use oncology::tracking::LesionTrack;
use oncology::{LesionState, VisitId};
use serde::{Deserialize, Serialize};

use crate::stages::find::VisitFacts;
use crate::stages::track::Tracked;

/// Name of the file.
pub(crate) const FILE: &str = "sources.json";

/// The sources of one patient's outlines.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct SourceRecord {
    /// Version of this document's shape.
    pub(crate) schema_version: u32,
    /// Visits, earliest first.
    pub(crate) visits: Vec<VisitSource>,
}

/// One visit's measured series and its outlines.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct VisitSource {
    /// The visit.
    pub(crate) visit: VisitId,
    /// Role of the measured series, the name of its folder.
    pub(crate) series_role: String,
    /// Where the outlines come from: `imported_mask`, `model:<name>`, …
    pub(crate) outlines_from: String,
    /// The voxels.
    pub(crate) grid: GridRecord,
    /// The image of each slice k; empty where the series is no DICOM.
    pub(crate) slices: Vec<SliceRecord>,
    /// Labels of `lesions.nii.gz`, ascending.
    pub(crate) lesions: Vec<LabelRecord>,
    /// Labels of each lesion in the order of its rows in the tables, marks without an outline among them.
    pub(crate) measured_labels: BTreeMap<String, Vec<u16>>,
    /// Labels of `ablation_zone.nii.gz`, ascending.
    pub(crate) ablation_zones: Vec<LabelRecord>,
    /// Whether there is an outline of the organ.
    pub(crate) organ: bool,
}

/// Where voxels lie.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct GridRecord {
    /// Voxels along i, j, k.
    pub(crate) shape: [usize; 3],
    /// From voxel indices to the patient, LPS mm.
    pub(crate) voxel_to_patient_lps: [[f64; 4]; 4],
    /// Frame of Reference UID.
    pub(crate) frame_of_reference_uid: String,
}

/// The image a slice is, or is nearest to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SliceRecord {
    /// SOP Class UID.
    pub(crate) sop_class_uid: String,
    /// SOP Instance UID.
    pub(crate) sop_instance_uid: String,
    /// Frame of a multi-frame image, from 1.
    pub(crate) frame: Option<u32>,
    /// Whether the slice lies where the image does; `false` where it was interpolated.
    pub(crate) is_acquired: bool,
}

/// A label and the lesions it stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LabelRecord {
    /// The label.
    pub(crate) label: u16,
    /// Lesions: one for a lesion's label, those it was made for for a zone's; none where nothing is known.
    pub(crate) lesion_ids: Vec<String>,
}

/// The record of one patient.
pub(crate) fn record(visits: &[VisitFacts], tracked: &Tracked) -> SourceRecord {
    let visits = visits.iter().enumerate().map(|(n, visit)| source(n, visit, tracked)).collect();
    SourceRecord { schema_version: 1, visits }
}

/// The image each slice of a series is; empty where one of them is not known.
pub(crate) fn slices(grid: &Grid, sop_instance_uids: &[String], headers: &[SliceHeader]) -> Vec<SliceRecord> {
    let slice = |(k, uid): (usize, &String)| slice(grid, k, uid, headers);
    let slices: Option<Vec<SliceRecord>> = sop_instance_uids.iter().enumerate().map(slice).collect();
    slices.unwrap_or_default()
}

fn source(n: usize, visit: &VisitFacts, tracked: &Tracked) -> VisitSource {
    let grid = &visit.measured.grid;
    let shape = grid.shape();
    let lesions = visit.lesions.iter().map(|lesion| LabelRecord {
        label: lesion.label,
        lesion_ids: tracked.tracks.iter().filter(|t| holds(t, n, lesion.label)).map(|t| t.id.to_string()).collect(),
    });
    let zones = visit.zones.iter().map(|zone| {
        let made_for = tracked.zones.iter().filter(|((at, _), labels)| *at == n && labels.contains(&zone.label));
        LabelRecord { label: zone.label, lesion_ids: made_for.map(|((_, lesion), _)| lesion.to_string()).collect() }
    });
    VisitSource {
        visit: visit.id,
        series_role: visit.measured.role.clone(),
        outlines_from: visit.source.clone(),
        grid: GridRecord {
            shape: [shape.ni, shape.nj, shape.nk],
            voxel_to_patient_lps: grid.voxel_to_patient().to_rows(),
            frame_of_reference_uid: grid.frame().as_str().to_owned(),
        },
        slices: visit.slices.clone(),
        lesions: lesions.collect(),
        measured_labels: tracked.tracks.iter().filter_map(|track| measured_labels(track, n)).collect(),
        ablation_zones: zones.collect(),
        organ: visit.organ.is_some(),
    }
}

/// The labels of a lesion at visit `n`.
fn measured_labels(track: &LesionTrack, n: usize) -> Option<(String, Vec<u16>)> {
    let sighting = track.sightings.get(&n).filter(|s| s.state != LesionState::Merged && !s.labels.is_empty())?;
    Some((track.id.to_string(), sighting.labels.clone()))
}

/// Whether a lesion is this label at visit `n`. One that has grown together with another is not.
fn holds(track: &LesionTrack, n: usize, label: u16) -> bool {
    let sighting = track.sightings.get(&n).filter(|s| s.state != LesionState::Merged);
    sighting.is_some_and(|s| s.labels.contains(&label))
}

/// The header with this identifier that lies nearest to slice k.
fn slice(grid: &Grid, k: usize, sop_instance_uid: &str, headers: &[SliceHeader]) -> Option<SliceRecord> {
    let first = grid.center(Index3 { i: 0, j: 0, k });
    let distance = |h: &SliceHeader| h.position.map_or(f64::INFINITY, |p| first.distance(Point::from(p)));
    let named = headers.iter().filter(|h| h.sop_instance_uid == sop_instance_uid);
    let nearest = named.min_by(|a, b| distance(a).total_cmp(&distance(b)))?;
    Some(SliceRecord {
        sop_class_uid: nearest.sop_class_uid.clone(),
        sop_instance_uid: sop_instance_uid.to_owned(),
        frame: nearest.frame.map(|n| n + 1),
        is_acquired: lies_on(grid, k, nearest).unwrap_or(false),
    })
}

/// Whether three corners of slice k are where the image has them, so that a voxel index is a pixel of the image.
fn lies_on(grid: &Grid, k: usize, header: &SliceHeader) -> Option<bool> {
    let shape = grid.shape();
    let (origin, directions) = (header.position?, header.orientation?);
    let [between_rows, between_columns] = header.pixel_spacing?;
    let is_shaped = header.columns as usize == shape.ni && header.rows as usize == shape.nj;
    let corner = |i: usize, j: usize| {
        let (along_row, along_column) = (i as f64 * between_columns, j as f64 * between_rows);
        let lps: [f64; 3] =
            std::array::from_fn(|a| origin[a] + directions[a] * along_row + directions[3 + a] * along_column);
        grid.center(Index3 { i, j, k }).distance(Point::from(lps)) <= SLICE_POSITION_TOLERANCE_MM
    };
    Some(is_shaped && corner(0, 0) && corner(shape.ni - 1, 0) && corner(0, shape.nj - 1))
}

impl GridRecord {
    /// The grid; `None` where the record is damaged.
    pub(crate) fn grid(&self) -> Option<Grid> {
        let [ni, nj, nk] = self.shape;
        let affine = Affine::from_rows(self.voxel_to_patient_lps)?;
        Grid::new(Shape { ni, nj, nk }, affine, FrameId::new(self.frame_of_reference_uid.clone())).ok()
    }
}
