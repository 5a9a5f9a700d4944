//! Where a measurement group lies in the patient: from its coordinates, or from the segment it was measured on.
//!
//! Source: DICOM PS3.3 C.7.6.2.1.1 (pixel to patient), C.18.6.1 (image coordinates: 0, 0 is the first pixel's outer corner).

use imaging::{FrameId, Patient, Point};

use super::{ImageReference, Region, SrError, SrGroup};
use crate::dicom::header::SliceHeader;

impl SrGroup {
    /// The centre of what was drawn (the mean of its points) in LPS mm, with its frame of reference. `headers` are the images it
    /// may have been drawn on. Regions of the group come first, then those of its numbers.
    pub fn centre(&self, headers: &[&SliceHeader]) -> Result<(Point<Patient>, FrameId), SrError> {
        let no_place = |reason: String| SrError::NoPlace { group: self.name(), reason };
        let regions: Vec<&Region> =
            self.regions.iter().chain(self.measurements.iter().flat_map(|m| &m.regions)).collect();
        if regions.is_empty() {
            return Err(no_place("it has no coordinates (SCOORD, SCOORD3D)".to_owned()));
        }
        let mut points = Vec::new();
        let mut frames = Vec::new();
        for region in regions {
            let (of_region, frame) = region.in_patient(headers).map_err(no_place)?;
            points.extend(of_region);
            frames.push(frame);
        }
        if frames.iter().any(|frame| *frame != frames[0]) {
            return Err(no_place("its coordinates lie in two frames of reference".to_owned()));
        }
        Ok((mean(&points), frames.swap_remove(0)))
    }
}

impl Region {
    /// Its points in LPS mm with their frame of reference.
    pub fn in_patient(&self, headers: &[&SliceHeader]) -> Result<(Vec<Point<Patient>>, FrameId), String> {
        match self {
            Self::InPatient { points, frame, .. } => Ok((without_closing(points.clone()), frame.clone())),
            Self::InImage { points, image, .. } => {
                let header = find(image, headers)?;
                let frame = header.frame_uid.clone().ok_or("the image states no Frame of Reference UID")?;
                let lps: Option<Vec<Point<Patient>>> = points.iter().map(|p| to_patient(*p, header)).collect();
                let lps = lps.ok_or("the image states no position, orientation or pixel spacing")?;
                Ok((without_closing(lps), FrameId::new(frame)))
            }
        }
    }
}

fn find<'a>(image: &ImageReference, headers: &[&'a SliceHeader]) -> Result<&'a SliceHeader, String> {
    let of_file = |h: &&&SliceHeader| h.sop_instance_uid == image.sop_instance_uid;
    let of_frame = |h: &&&SliceHeader| match (h.frame, image.frames.as_slice()) {
        (None, _) => h.n_frames <= 1,
        (Some(frame), [wanted]) => frame + 1 == *wanted,
        (Some(frame), []) => frame == 0 && h.n_frames <= 1,
        (Some(_), _) => false,
    };
    let found = headers.iter().filter(of_file).find(of_frame);
    found.copied().ok_or_else(|| {
        "the image its coordinates refer to is not among the images of the visit (or not by one frame)".to_owned()
    })
}

/// Column and row to LPS: the first pixel's centre is 0.5, 0.5.
fn to_patient([column, row]: [f64; 2], header: &SliceHeader) -> Option<Point<Patient>> {
    let position = header.position?;
    let [along_row @ .., d, e, f] = header.orientation?;
    let along_column = [d, e, f];
    let [between_rows, between_columns] = header.pixel_spacing?;
    let (i, j) = ((column - 0.5) * between_columns, (row - 0.5) * between_rows);
    let lps: [f64; 3] = std::array::from_fn(|a| position[a] + i * along_row[a] + j * along_column[a]);
    Some(Point::new(lps[0], lps[1], lps[2]))
}

/// A closed line says its first point twice.
fn without_closing(mut points: Vec<Point<Patient>>) -> Vec<Point<Patient>> {
    if points.len() > 2 && points.first() == points.last() {
        points.pop();
    }
    points
}

fn mean(points: &[Point<Patient>]) -> Point<Patient> {
    let n = points.len() as f64;
    let sum = points.iter().map(|p| p.to_array()).fold([0.0; 3], |s, p| std::array::from_fn(|a| s[a] + p[a]));
    Point::new(sum[0] / n, sum[1] / n, sum[2] / n)
}
