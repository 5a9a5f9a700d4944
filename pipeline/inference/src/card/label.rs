//! One label of the result and what is done to it afterwards: the card's `[[label]]`.

use serde::{Deserialize, Serialize};

/// One label of the result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Label {
    /// The value in the label map.
    pub index: u16,
    /// Its name.
    pub name: String,
    /// What kind of structure it is.
    pub role: Role,
    /// The organ it is or lies in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organ: Option<String>,
    /// Only the largest 26-connected component is kept; one of an organ hangs together over what lies in it, too.
    #[serde(default, skip_serializing_if = "is_false")]
    pub keep_largest: bool,
    /// 26-connected components smaller than this, in mm³, are dropped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_volume_mm3: Option<f64>,
    /// Where the label may be: a 26-connected component with no voxel there is dropped whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only_near: Option<OnlyNear>,
    /// The label that dropped components take where they touch it; elsewhere they become background.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub dropped_becomes: u16,
    /// Background enclosed by the label becomes the label.
    #[serde(default, skip_serializing_if = "is_false")]
    pub fill_holes: bool,
    /// Findings that touch over a neck narrower than this, in mm, are counted as several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split_at_necks_mm: Option<f64>,
}

/// Components of a label whose nearest voxel is farther than `within_mm` from every voxel of the named labels are dropped whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OnlyNear {
    /// Indices of the labels, as a rule an organ and what lies in it.
    pub labels: Vec<u16>,
    /// Greatest distance of voxel centres, mm.
    pub within_mm: f64,
}

/// What kind of structure a label marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Nothing; label 0.
    Background,
    /// An organ.
    Organ,
    /// A lesion.
    Lesion,
    /// The zone a thermal or electrical ablation left.
    AblationZone,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's skip_serializing_if hands over a reference")]
fn is_false(value: &bool) -> bool {
    !*value
}
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's skip_serializing_if hands over a reference")]
fn is_zero(value: &u16) -> bool {
    *value == 0
}
