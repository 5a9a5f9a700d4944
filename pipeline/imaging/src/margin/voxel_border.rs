//! The voxel-border margin of the public quantitative-ablation-margin code, kept to reproduce published numbers.
//!
//! Source: Sandu et al. 2021 (`qam_compat`): border = mask without its 6-neighbour erosion, Euclidean distance between centres of
//! border voxels, positive inside the zone, every voxel counted once. It reads a true 6 mm as low as 3.1 mm at 3 mm slices: use
//! [`super::ablation_margin`] for anything new. Its published column "≥ 0" is really the share below 5 mm; here bins are explicit.

use super::distribution::MarginDistribution;
use crate::distance::{DistanceError, distance_to};
use crate::grid::{Aligned, Index3};
use crate::mask::Mask;
use crate::units::Mm;

/// Margins over the tumour's border voxels; tumour and zone on one grid. Border voxels closer than `capsule_exclusion` to the
/// organ's border are left out; `None` when none is left.
pub fn qam_compat(
    tumour_and_ablation: &Aligned<'_, bool, bool>,
    organ: Option<(&Aligned<'_, bool, bool>, Mm)>,
) -> Result<Option<MarginDistribution>, DistanceError> {
    let (tumour, ablation) = (tumour_and_ablation.first(), tumour_and_ablation.second());
    let to_zone = distance_to(&border(ablation))?;
    let to_capsule = match organ {
        None => None,
        Some((tumour_and_organ, exclusion)) => Some((distance_to(&border(tumour_and_organ.second()))?, exclusion.0)),
    };
    if tumour.is_empty_mask() {
        return Err(DistanceError::EmptyMask);
    }
    let shape = tumour.shape();
    let tumour_border = border(tumour);
    let margins = tumour_border
        .indices_set()
        .filter(|at| to_capsule.as_ref().is_none_or(|(distance, exclusion)| distance.at(*at) >= exclusion))
        .map(|at| {
            let n = shape.linear(at);
            let distance = to_zone.values()[n];
            (if ablation.values()[n] { distance } else { -distance }, 1.0)
        });
    Ok(MarginDistribution::new(margins.collect()))
}

/// Voxels of the mask with a face neighbour outside; beyond the grid counts as outside, as in scipy's erosion.
fn border(mask: &Mask) -> Mask {
    Mask::from_fn(mask.grid().clone(), |at| {
        let Index3 { i, j, k } = at;
        let set = |i: usize, j: usize, k: usize| mask.get(Index3 { i, j, k }).copied().unwrap_or(false);
        let lower = |v: usize| v.wrapping_sub(1);
        let surrounded = set(lower(i), j, k)
            && set(i + 1, j, k)
            && set(i, lower(j), k)
            && set(i, j + 1, k)
            && set(i, j, lower(k))
            && set(i, j, k + 1);
        *mask.at(at) && !surrounded
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::surface::tests::{OFF_GRID, ball};

    #[test]
    fn concentric_balls_read_too_small_as_published() {
        let tumour = ball(10.0, OFF_GRID, [1.0, 1.0, 1.0], 20.0);
        let ablation = ball(16.0, OFF_GRID, [1.0, 1.0, 1.0], 20.0);
        let margins = qam_compat(&Aligned::new(&tumour, &ablation).unwrap(), None).unwrap().unwrap();
        assert!((5.0..6.0).contains(&margins.min().0), "{}", margins.min());
        assert_eq!(margins.n_samples(), border(&tumour).n_voxels_set());
        let organ = ball(19.0, OFF_GRID, [1.0, 1.0, 1.0], 20.0);
        let with_organ = Aligned::new(&tumour, &organ).unwrap();
        let none = qam_compat(&Aligned::new(&tumour, &ablation).unwrap(), Some((&with_organ, Mm(12.0)))).unwrap();
        assert!(none.is_none(), "all of it lies within 12 mm of the capsule");
    }
}
