//! Reads the regions of an RT structure set and turns their contours into masks on an image's grid.
//!
//! Source: DICOM PS3.3 C.8.8.5 (Structure Set), C.8.8.6 (ROI Contour). A voxel belongs to a region when its centre lies inside
//! an odd number of the closed contours of its slice, so that a contour within another is a hole (XOR rule).

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use dicom::dictionary_std::tags;
use dicom::object::InMemDicomObject;
use imaging::{FrameId, Grid, GridError, Mask, Note, Noted, Patient, Point, Volume};
use thiserror::Error;

use super::element;
use super::file::open_whole;
use super::header::HeaderError;

/// A contour may leave its slice by this share of the slice distance before it counts as not lying in one slice.
pub const OUT_OF_PLANE_TOLERANCE: f64 = 0.1;

/// A contour further than this share of the slice distance from the nearest slice is mentioned.
pub const OFF_SLICE_NOTABLE: f64 = 0.05;

/// Why a structure set or a mask of it cannot be had.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum RtStructError {
    /// The file cannot be read.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// The file is no structure set.
    #[error("{} is not an RT structure set (modality {modality}); name the RTSTRUCT file", path.display())]
    NotAStructureSet {
        /// File.
        path: PathBuf,
        /// Modality found.
        modality: String,
    },
    /// The region lives in another frame of reference.
    #[error("region {roi}: {source}")]
    OtherFrame {
        /// Region's number.
        roi: i64,
        /// Expected and found frame.
        source: GridError,
    },
    /// A contour crosses slices.
    #[error(
        "region {roi}: a contour spans {span_mm:.2} mm across the slices of the image; it was drawn on another orientation: use the image it was drawn on"
    )]
    NotInSlice {
        /// Region's number.
        roi: i64,
        /// Extent across slices, mm.
        span_mm: f64,
    },
}

/// A closed planar contour, LPS mm.
#[derive(Debug, Clone, PartialEq)]
pub struct ClosedContour {
    /// Its corners in order; the last is joined to the first.
    pub corners: Vec<Point<Patient>>,
}

/// One region of interest.
#[derive(Debug, Clone, PartialEq)]
pub struct Roi {
    /// ROI Number.
    pub number: i64,
    /// ROI Name.
    pub name: String,
    /// Frame of reference of its coordinates.
    pub frame: Option<FrameId>,
    /// Closed planar contours.
    pub contours: Vec<ClosedContour>,
}

/// A structure set.
#[derive(Debug, Clone, PartialEq)]
pub struct RtStruct {
    /// SOP Instance UID.
    pub sop_instance_uid: String,
    /// Patient ID as written.
    pub patient_id: Option<String>,
    /// Study Instance UID.
    pub study_uid: Option<String>,
    /// Its regions by number.
    pub rois: Vec<Roi>,
    /// Series Instance UIDs of the series it refers to.
    pub referenced_series: BTreeSet<String>,
}

/// Reads a structure set. Contours that are not closed and planar (points, open lines) are left out with a note.
pub fn read_rtstruct(path: &Path) -> Result<Noted<RtStruct>, RtStructError> {
    let (object, ..) = open_whole(path)?;
    let modality = element::text(&object, tags::MODALITY).unwrap_or_else(|| "none".to_owned());
    if modality != "RTSTRUCT" {
        return Err(RtStructError::NotAStructureSet { path: path.to_owned(), modality });
    }
    let sop_instance_uid = element::text(&object, tags::SOP_INSTANCE_UID).unwrap_or_default();
    let mut rois: BTreeMap<i64, Roi> = BTreeMap::new();
    for item in element::items(&object, tags::STRUCTURE_SET_ROI_SEQUENCE) {
        let Some(number) = element::integer(item, tags::ROI_NUMBER) else { continue };
        let name = element::text(item, tags::ROI_NAME).unwrap_or_default();
        let frame = element::text(item, tags::REFERENCED_FRAME_OF_REFERENCE_UID).map(FrameId::new);
        rois.insert(number, Roi { number, name, frame, contours: Vec::new() });
    }
    let mut notes = Vec::new();
    for item in element::items(&object, tags::ROI_CONTOUR_SEQUENCE) {
        let number = element::integer(item, tags::REFERENCED_ROI_NUMBER);
        let Some(roi) = number.and_then(|n| rois.get_mut(&n)) else { continue };
        let contours = element::items(item, tags::CONTOUR_SEQUENCE);
        let closed: Vec<ClosedContour> = contours.iter().filter_map(closed_contour).collect();
        let n_left_out = contours.len() - closed.len();
        roi.contours.extend(closed);
        if n_left_out > 0 {
            let message = format!(
                "{n_left_out} contour(s) of region {} are not closed, planar or readable; they are left out",
                roi.number
            );
            notes.push(Note::warning("contour_left_out", sop_instance_uid.clone(), message));
        }
    }
    let referenced_series = referenced_series(&object);
    let structures = RtStruct {
        sop_instance_uid,
        patient_id: element::text(&object, tags::PATIENT_ID),
        study_uid: element::text(&object, tags::STUDY_INSTANCE_UID),
        rois: rois.into_values().collect(),
        referenced_series,
    };
    Ok(Noted::new(structures, notes))
}

/// The series named below Referenced Frame of Reference → RT Referenced Study → RT Referenced Series.
fn referenced_series(object: &InMemDicomObject) -> BTreeSet<String> {
    let frames = element::items(object, tags::REFERENCED_FRAME_OF_REFERENCE_SEQUENCE).iter();
    let studies = frames.flat_map(|frame| element::items(frame, tags::RT_REFERENCED_STUDY_SEQUENCE));
    let series = studies.flat_map(|study| element::items(study, tags::RT_REFERENCED_SERIES_SEQUENCE));
    series.filter_map(|item| element::text(item, tags::SERIES_INSTANCE_UID)).collect()
}

fn closed_contour(item: &InMemDicomObject) -> Option<ClosedContour> {
    let kind = element::text(item, tags::CONTOUR_GEOMETRIC_TYPE)?;
    if !matches!(kind.as_str(), "CLOSED_PLANAR" | "CLOSEDPLANAR_XOR") {
        return None;
    }
    let data = element::floats(item, tags::CONTOUR_DATA);
    if !data.len().is_multiple_of(3) {
        return None;
    }
    let corners: Vec<_> = data.chunks_exact(3).map(|p| Point::new(p[0], p[1], p[2])).collect();
    (corners.len() >= 3).then_some(ClosedContour { corners })
}

impl Roi {
    /// The region as a mask on a grid of the same frame of reference: voxel centres inside an odd number of contours. Contours
    /// outside the grid are left out with a note; slices between contours that carry none stay empty, with a note.
    pub fn to_mask(&self, grid: &Grid) -> Result<Noted<Mask>, RtStructError> {
        if let Some(found) = self.frame.as_ref().filter(|f| *f != grid.frame()) {
            let source = GridError::OtherFrame { expected: grid.frame().clone(), found: found.clone() };
            return Err(RtStructError::OtherFrame { roi: self.number, source });
        }
        let shape = grid.shape();
        let mut mask = Volume::filled(grid.clone(), false);
        let mut trouble = Trouble::default();
        let mut slices_drawn = vec![false; shape.nk];
        for contour in &self.contours {
            let corners: Vec<[f64; 3]> =
                contour.corners.iter().map(|p| grid.patient_to_voxel().apply(*p).to_array()).collect();
            let Some(k) = self.slice_of(&corners, grid, &mut trouble)? else { continue };
            slices_drawn[k] = true;
            let n = shape.ni * shape.nj;
            toggle_inside(&mut mask.values_mut()[k * n..(k + 1) * n], shape.ni, &corners);
        }
        trouble.gaps = n_gaps(&slices_drawn);
        Ok(Noted::new(mask, trouble.notes(self.number)))
    }

    /// The slice a contour (in voxel coordinates) lies in; `None` outside the grid.
    fn slice_of(
        &self,
        corners: &[[f64; 3]],
        grid: &Grid,
        trouble: &mut Trouble,
    ) -> Result<Option<usize>, RtStructError> {
        let (low, high) =
            corners.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), c| (l.min(c[2]), h.max(c[2])));
        if high - low > OUT_OF_PLANE_TOLERANCE {
            let span_mm = (high - low) * grid.spacing_mm()[2];
            return Err(RtStructError::NotInSlice { roi: self.number, span_mm });
        }
        let k = f64::midpoint(low, high);
        let nearest = k.round();
        if nearest < 0.0 || nearest >= grid.shape().nk as f64 {
            trouble.outside += 1;
            return Ok(None);
        }
        trouble.off_slice += usize::from((k - nearest).abs() > OFF_SLICE_NOTABLE);
        Ok(Some(nearest as usize))
    }
}

/// Counts of what is to be said about a mask.
#[derive(Default)]
struct Trouble {
    outside: usize,
    off_slice: usize,
    gaps: usize,
}

impl Trouble {
    fn notes(&self, roi: i64) -> Vec<Note> {
        [
            (self.outside, "contour_outside_image", "contour(s) lie outside the image and are left out"),
            (self.off_slice, "contour_off_slice", "contour(s) lie between slices; each is taken for the nearest slice"),
            (
                self.gaps,
                "contour_gap",
                "slice(s) between contours carry none and stay empty; the region may have been drawn on thicker slices",
            ),
        ]
        .into_iter()
        .filter(|(n, ..)| *n > 0)
        .map(|(n, code, message)| Note::warning(code, format!("region {roi}"), format!("{n} {message}")))
        .collect()
    }
}

/// Number of slices without a contour between the first and the last one with one.
fn n_gaps(drawn: &[bool]) -> usize {
    match (drawn.iter().position(|d| *d), drawn.iter().rposition(|d| *d)) {
        (Some(first), Some(last)) => drawn[first..=last].iter().filter(|d| !**d).count(),
        _ => 0,
    }
}

/// Flips every voxel of one slice whose centre lies inside a polygon (corners in voxel coordinates). Along each row the
/// crossings with the polygon's edges are sorted; centres between the 1st and 2nd, the 3rd and 4th, … are inside. Edges own
/// their lower and not their upper end, and a span its left and not its right end: polygons that share an edge share no voxel.
fn toggle_inside(slice: &mut [bool], ni: usize, corners: &[[f64; 3]]) {
    for (j, row) in slice.chunks_exact_mut(ni).enumerate() {
        let y = j as f64;
        let mut crossings: Vec<f64> = Vec::new();
        for (n, a) in corners.iter().enumerate() {
            let b = &corners[(n + 1) % corners.len()];
            if (a[1] <= y) != (b[1] <= y) {
                crossings.push(a[0] + (y - a[1]) / (b[1] - a[1]) * (b[0] - a[0]));
            }
        }
        crossings.sort_by(f64::total_cmp);
        for span in crossings.chunks_exact(2) {
            let first = span[0].ceil().clamp(0.0, ni as f64) as usize;
            let end = span[1].ceil().clamp(0.0, ni as f64) as usize;
            row[first..end.max(first)].iter_mut().for_each(|v| *v = !*v);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use imaging::Shape;
    use nalgebra::Rotation3;

    fn oblique() -> Grid {
        let directions = *Rotation3::from_euler_angles(0.3, -0.2, 0.5).matrix();
        let shape = Shape { ni: 9, nj: 7, nk: 4 };
        let origin = Point::new(-30.0, 12.0, 400.0);
        Grid::from_directions(shape, origin, [0.8, 1.1, 3.0], directions, FrameId::new("1.2")).unwrap()
    }

    /// A contour given by corners in voxel coordinates.
    fn contour(grid: &Grid, corners: &[[f64; 3]]) -> ClosedContour {
        let corners = corners.iter().map(|c| grid.voxel_to_patient().apply(Point::from(*c))).collect();
        ClosedContour { corners }
    }

    fn square(low: f64, high: f64, k: f64) -> [[f64; 3]; 4] {
        [[low, low, k], [high, low, k], [high, high, k], [low, high, k]]
    }

    fn roi(contours: Vec<ClosedContour>) -> Roi {
        Roi { number: 1, name: "GTV".into(), frame: Some(FrameId::new("1.2")), contours }
    }

    #[test]
    fn a_square_with_a_hole_on_an_oblique_grid() {
        let grid = oblique();
        let contours = vec![contour(&grid, &square(0.5, 5.5, 2.0)), contour(&grid, &square(1.5, 3.5, 2.0))];
        let noted = roi(contours).to_mask(&grid).unwrap();
        assert!(noted.notes.is_empty());
        assert_eq!(noted.value.n_voxels_set(), 25 - 4);
        assert!(noted.value.indices_set().all(|at| at.k == 2 && (1..=5).contains(&at.i) && (1..=5).contains(&at.j)));
    }

    #[test]
    fn a_keyhole_is_the_hole_it_stands_for() {
        let grid = oblique();
        // One contour: round the outer square, through a channel without width, round the hole the other way, and back.
        let keyhole = [
            [0.5, 0.5, 2.0],
            [6.5, 0.5, 2.0],
            [6.5, 5.5, 2.0],
            [0.5, 5.5, 2.0],
            [0.5, 3.0, 2.0],
            [2.5, 3.0, 2.0],
            [2.5, 4.5, 2.0],
            [4.5, 4.5, 2.0],
            [4.5, 1.5, 2.0],
            [2.5, 1.5, 2.0],
            [2.5, 3.0, 2.0],
            [0.5, 3.0, 2.0],
        ];
        let mask = roi(vec![contour(&grid, &keyhole)]).to_mask(&grid).unwrap().value;
        let as_two = vec![
            contour(&grid, &[[0.5, 0.5, 2.0], [6.5, 0.5, 2.0], [6.5, 5.5, 2.0], [0.5, 5.5, 2.0]]),
            contour(&grid, &[[2.5, 1.5, 2.0], [4.5, 1.5, 2.0], [4.5, 4.5, 2.0], [2.5, 4.5, 2.0]]),
        ];
        assert_eq!(mask.n_voxels_set(), 30 - 6);
        assert_eq!(mask.values(), roi(as_two).to_mask(&grid).unwrap().value.values());
    }

    #[test]
    fn polygons_sharing_an_edge_through_voxel_centres_share_no_voxel() {
        let left = [[1.0, 1.0, 0.0], [3.0, 1.0, 0.0], [3.0, 4.0, 0.0], [1.0, 4.0, 0.0]];
        let right = [[3.0, 1.0, 0.0], [6.0, 1.0, 0.0], [6.0, 4.0, 0.0], [3.0, 4.0, 0.0]];
        let mut slice = vec![false; 63];
        toggle_inside(&mut slice, 9, &left);
        let n_left = slice.iter().filter(|v| **v).count();
        toggle_inside(&mut slice, 9, &right);
        assert_eq!((n_left, slice.iter().filter(|v| **v).count()), (6, 15));
    }

    #[test]
    fn contours_between_outside_and_across_slices() {
        let grid = oblique();
        let contours = [0.0, 3.3, 9.0].map(|k| contour(&grid, &square(0.5, 2.5, k))).to_vec();
        let noted = roi(contours).to_mask(&grid).unwrap();
        let codes: Vec<_> = noted.notes.iter().map(|n| n.code.as_str()).collect();
        assert_eq!(codes, ["contour_outside_image", "contour_off_slice", "contour_gap"]);
        let mut tilted = square(0.5, 2.5, 1.0);
        tilted[0][2] = 2.0;
        let error = roi(vec![contour(&grid, &tilted)]).to_mask(&grid).unwrap_err();
        assert_eq!(error, RtStructError::NotInSlice { roi: 1, span_mm: error_span(&error) });
        assert!((error_span(&error) - 3.0).abs() < 1e-9);
        let other = Roi { frame: Some(FrameId::new("1.3")), ..roi(Vec::new()) };
        assert!(matches!(other.to_mask(&grid), Err(RtStructError::OtherFrame { .. })));
    }

    fn error_span(error: &RtStructError) -> f64 {
        match error {
            RtStructError::NotInSlice { span_mm, .. } => *span_mm,
            _ => f64::NAN,
        }
    }
}
