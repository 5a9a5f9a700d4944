//! Technique efficacy per tumour: complete at the visit named beforehand, and complete after repeat treatment of what was left.
//!
//! Source: Ahmed et al. 2014, Radiology 273:241–260 (primary and secondary technique efficacy); Puijk et al. 2021.

/// One treated tumour at the visit named beforehand and later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TreatedTumour {
    /// Complete at the visit after the initial course.
    pub complete_at_visit: bool,
    /// Complete after repeat treatment within the course; `false` where there was none.
    pub complete_after_retreatment: bool,
}

/// A share as counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// Tumours that count.
    pub n: usize,
    /// Tumours in all.
    pub of: usize,
}

impl std::fmt::Display for Share {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.n, self.of)
    }
}

/// Primary efficacy: complete after the initial course.
pub fn primary_efficacy(tumours: &[TreatedTumour]) -> Share {
    Share { n: tumours.iter().filter(|tumour| tumour.complete_at_visit).count(), of: tumours.len() }
}

/// Secondary (assisted) efficacy: complete after the initial course or after repeat treatment.
pub fn secondary_efficacy(tumours: &[TreatedTumour]) -> Share {
    let complete = |tumour: &&TreatedTumour| tumour.complete_at_visit || tumour.complete_after_retreatment;
    Share { n: tumours.iter().filter(complete).count(), of: tumours.len() }
}
