//! The outline of a candidate at a share of its own SUVmax: what hangs together with its hottest voxel in the whole PET.
//!
//! Source: Boellaard et al. 2015 (EANM guideline 2.0), §7: 41 % or 50 % of SUVmax. Such an outline says nothing where uptake round
//! the lesion reaches the share, too: it runs out into the surroundings, and how far depends on them. That is told by what it meets.

use imaging::{Index3, Shape, Volume};

use super::parts::{ORGAN, Part};

/// An outline this many times as large as the part above the cut-off that it grew from is taken for a leak. Origin: 34 FDG-PETs of
/// soft tissue sarcomas at cut-off 4: outlines that a reader's outline bears out are up to 7 times as large; of those above, two
/// of three ran into other candidates, too.
const LEAK_TIMES: usize = 10;

/// What an outline ran into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leak {
    /// A part above the cut-off that is a candidate of its own.
    Candidate,
    /// A voxel hotter than the candidate's hottest, in a part too small to be one.
    Hotter,
    /// More than [`LEAK_TIMES`] the part it grew from.
    Surroundings,
}

impl Leak {
    /// The reason in words; `ml`: volume of the part above the cut-off.
    pub(super) fn reason(self, part: &Part, share: f64, ml: f64) -> String {
        let into = match self {
            Self::Candidate => "runs into another candidate".to_owned(),
            Self::Hotter => "runs into a hotter voxel of a part too small to be a candidate".to_owned(),
            Self::Surroundings => format!("is more than {LEAK_TIMES} times as large as its part above the cut-off"),
        };
        let remedy = match self {
            Self::Candidate | Self::Hotter => "or a lower cut-off, at which the two are one",
            Self::Surroundings => "or none: the part above the cut-off is the outline then",
        };
        format!(
            "at {:.0} % of its SUVmax (SUV {:.2}) the outline {into} ({ml:.2} ml, which stands in the label map): it leaks \
             into its surroundings; take a higher percentage, {remedy}",
            100.0 * share,
            share * part.max
        )
    }
}

/// Voxels at or above `share` of the maximum of part `n` that hang together with its hottest one over faces, edges and corners,
/// ascending; organs are not entered. `seen`: room for one number a voxel, which no other part has used for `n`.
pub(super) fn at_share(
    pet: &Volume<f32>,
    owner: &[u32],
    n: usize,
    part: &Part,
    share: f64,
    seen: &mut [u32],
) -> Result<Vec<usize>, Leak> {
    let own = n as u32 + 1;
    let (least, limit) = (share * part.max, LEAK_TIMES * part.voxels.len());
    let (mut voxels, mut open) = (Vec::new(), vec![part.hottest]);
    seen[part.hottest] = own;
    while let Some(at) = open.pop() {
        voxels.push(at);
        if voxels.len() > limit {
            return Err(Leak::Surroundings);
        }
        for next in neighbours(pet.shape(), at) {
            let uptake = f64::from(pet.values()[next]);
            if seen[next] == own || uptake < least || owner[next] == ORGAN {
                continue;
            }
            if owner[next] != 0 && owner[next] != own {
                return Err(Leak::Candidate);
            }
            if uptake > part.max {
                return Err(Leak::Hotter);
            }
            seen[next] = own;
            open.push(next);
        }
    }
    voxels.sort_unstable();
    Ok(voxels)
}

/// The voxels of an image that share a face, an edge or a corner with one of them, as positions in memory.
pub(super) fn neighbours(shape: Shape, of: usize) -> impl Iterator<Item = usize> {
    let at = shape.index(of);
    let range = |at: usize, n: usize| at.saturating_sub(1)..(at + 2).min(n);
    range(at.k, shape.nk)
        .flat_map(move |k| range(at.j, shape.nj).map(move |j| (k, j)))
        .flat_map(move |(k, j)| range(at.i, shape.ni).map(move |i| shape.linear(Index3 { i, j, k })))
        .filter(move |next| *next != of)
}
