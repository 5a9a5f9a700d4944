//! How far a lesion outlined under a prompt can be trusted, and why not.

use imaging::Note;

use crate::card::Prompting;
use crate::prompted::outline::Outline;
use crate::prompted::prompt::Prompt;

/// Two lesions that share more than this part of the smaller one are one lesion marked twice: less is a common border.
const SAME_LESION: f64 = 0.5;

/// A reason not to trust a lesion.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Doubt {
    code: &'static str,
    /// One clause for a reader.
    pub(crate) reason: String,
}

impl Doubt {
    /// As a note about the lesion.
    pub(crate) fn note(&self, lesion: &str) -> Note {
        Note::warning(self.code, lesion, format!("do not trust this outline: {}", self.reason))
    }
}

/// The agreement in hundredths, never rounded up, so that one below the limit does not read as the limit.
fn hundredths(agreement: f64) -> f64 {
    (agreement * 100.0).floor() / 100.0
}

/// What is to be doubted in one lesion by itself; the cube has `side` voxels along an edge.
pub(crate) fn doubts(prompt: &Prompt, outline: &Outline, prompting: &Prompting, side: usize) -> Vec<Doubt> {
    let Some(lesion) = &outline.lesion else {
        let reason = format!("no lesion found under the {}", prompt.kind());
        return vec![Doubt { code: "no_lesion_under_prompt", reason }];
    };
    let mut doubts = Vec::new();
    let mut doubt = |code, reason| doubts.push(Doubt { code, reason });
    if lesion.agreement < prompting.least_agreement {
        let (agreement, least) = (hundredths(lesion.agreement), prompting.least_agreement);
        doubt("views_disagree", format!("views agree to {agreement:.2}, below {least:.2}"));
    }
    if matches!(prompt, Prompt::Point(_)) && !prompting.trust_size_from_point {
        let reason =
            "from a point alone this network often mistakes the size (its card); a box round it would state it";
        doubt("size_from_point", reason.to_owned());
    } else if let Some(reason) = beyond_what_was_measured(prompt, outline, prompting, side) {
        doubt("size_not_measured_on", reason);
    } else if !lesion.size_is_confirmed {
        doubt(
            "size_not_confirmed",
            "no finer or coarser look confirms its size; a box round it would state it".to_owned(),
        );
    }
    if lesion.reaches_end_of_cube {
        let mm = side as f64 * outline.spacing_mm;
        let which = if outline.spacing_mm >= prompting.spacing_range_mm[1] { "largest cube" } else { "cube" };
        doubt("lesion_reaches_end_of_cube", format!("the lesion reaches the end of the {which} ({mm:.0} mm)"));
    }
    if lesion.reaches_end_of_image {
        doubt("lesion_reaches_end_of_image", "the lesion reaches the end of the image".to_owned());
    }
    doubts
}

/// Why a size found from a point is not one of those the card's figures speak of.
fn beyond_what_was_measured(prompt: &Prompt, outline: &Outline, prompting: &Prompting, side: usize) -> Option<String> {
    let ([low, high], Prompt::Point(_)) = (prompting.trusted_sizes_mm?, prompt) else { return None };
    let size_mm = outline.spacing_mm * prompting.fill * side as f64;
    (size_mm < low || size_mm > high).then(|| {
        format!(
            "from a point it was measured on lesions of {low} to {high} mm alone, this one is about {size_mm:.0} mm; a box round it would state its size"
        )
    })
}

/// What is to be doubted in a lesion that shares voxels with another one; `None` where they only touch.
pub(crate) fn overlap(other: u16, n_shared: usize, n_smaller: usize) -> Option<Doubt> {
    let part = n_shared as f64 / n_smaller.max(1) as f64;
    (part > SAME_LESION).then(|| Doubt {
        code: "prompts_share_a_lesion",
        reason: format!(
            "it and lesion {other} share {:.0} % of the smaller one: two prompts may mark one lesion",
            part * 100.0
        ),
    })
}
