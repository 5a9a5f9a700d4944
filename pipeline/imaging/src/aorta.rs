//! The aorta in a CT of the trunk, found without a model: how bright its blood is tells the contrast phase.
//!
//! Method: even discs that are brighter than most of their rim are looked for beside the spine, slice by slice (a circular Hough
//! search in polar samples), and joined to the best path by dynamic programming. The search box is a fact of anatomy in
//! patient space (descending and abdominal aorta lie in front of and to the left of the vertebral bodies), so decubitus
//! and scan direction play no part. Edge cases: no spine, too few slices, a path that is not round enough: no aorta, and
//! why. With situs inversus, or an aneurysm wider than 32 mm, none is found.

use thiserror::Error;

use crate::grid::Index3;
use crate::space::{Patient, Point};
use crate::trunk::{SPACING_MM, Trunk};
use crate::units::Mm;

mod disc;
mod path;

use disc::Disc;

/// A slice counts when its disc is this good. Origin: medians of 0.78 to 0.89 in phantoms in four phases and in one portal venous
/// CT of a patient; three thighs without an aorta, judged by any edge, stayed below 0.42.
const LEAST_SCORE: f64 = 0.55;
/// So long a piece must be found. Origin: ten vertebral discs' worth of kidney level; shorter tubes are bowel and vessels.
const LEAST_LENGTH: Mm = Mm(48.0);

/// The aorta as found.
#[derive(Debug, Clone, PartialEq)]
pub struct Aorta {
    /// Median over its slices of the mean inside the disc, HU.
    pub hu: f64,
    /// Its middle from one end to the other, in the image's frame of reference.
    pub centers: Vec<Point<Patient>>,
    /// Median quality of its discs: share of the rim with an edge, less unevenness; 1 is perfect.
    pub score: f64,
}

/// Why no aorta was found.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum AortaError {
    /// The best path is too short or not round enough.
    #[error(
        "no aorta was found: the longest round piece beside the spine is {found_mm:.0} mm long, {} mm are needed",
        LEAST_LENGTH.0
    )]
    NotFound {
        /// Length found, mm.
        found_mm: f64,
    },
}

/// Finds the aorta in a CT of the trunk.
pub fn find_aorta(trunk: &Trunk) -> Result<Aorta, AortaError> {
    let Trunk { thin, spine } = trunk;
    let candidates = disc::candidates(thin, *spine);
    let path = path::best(&candidates);
    let piece = longest_piece(&path);
    let found_mm = piece.len() as f64 * SPACING_MM[2];
    if found_mm < LEAST_LENGTH.0 {
        return Err(AortaError::NotFound { found_mm });
    }
    Ok(Aorta {
        hu: median(piece.iter().map(|(_, disc)| disc.mean_hu)),
        centers: piece.iter().map(|(k, disc)| thin.grid().center(Index3 { i: disc.i, j: disc.j, k: *k })).collect(),
        score: median(piece.iter().map(|(_, disc)| disc.score)),
    })
}

/// The longest run of slices with a good disc; one bad slice is bridged.
fn longest_piece(path: &[Option<Disc>]) -> Vec<(usize, Disc)> {
    let mut best: Vec<(usize, Disc)> = Vec::new();
    let mut run: Vec<(usize, Disc)> = Vec::new();
    for (k, disc) in path.iter().enumerate() {
        let good = disc.as_ref().filter(|disc| disc.score >= LEAST_SCORE);
        if run.last().is_some_and(|(last, _)| k - last > 2) {
            run.clear();
        }
        if let Some(disc) = good {
            run.push((k, disc.clone()));
        }
        if run.len() > best.len() {
            best.clone_from(&run);
        }
    }
    best
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[cfg(test)]
mod tests;
