//! Where on a tumour's surface which margin lies: the directions round its centre in cells, and the smallest margin in each.

use oncology::Date;
use serde::{Deserialize, Serialize};

/// The smallest margin in every direction from the tumour's centre. Directions are those of the patient.
///
/// Cells run half by half (towards the head, towards the feet), in each half ring by ring from the pole to the equator
/// (rings of equal angle), in each ring sector by sector from the patient's left over the back to the right and the front.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MarginMap {
    /// Lesion within the patient.
    pub lesion_id: String,
    /// Date of the ablation.
    pub treatment_date: Date,
    /// Rings of each half.
    pub n_rings: usize,
    /// Sectors of each ring.
    pub n_sectors: usize,
    /// Smallest margin in mm per cell, `2 × n_rings × n_sectors` of them; `None` where no surface counts in this direction.
    pub smallest_mm: Vec<Option<f64>>,
    /// Direction of the smallest margin of all, `[left, back, head]`, of any length; `None` when there is none.
    pub thinnest: Option<[f64; 3]>,
    /// That direction in words, such as `towards the feet, left and back`; empty when there is none.
    pub thinnest_words: String,
}
