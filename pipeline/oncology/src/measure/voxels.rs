//! The voxels of a second image that are a lesion's.
//!
//! A voxel is the lesion's when its centre lies inside the outline; of a lesion so small that it holds none, the voxel in which its
//! middle lies. Edge cases: a lesion outside the image's field of view is not evaluable, nor is one of which a part lies outside.

use imaging::diameter::mask_centroid;
use imaging::{Affine, Index3, Mask, Volume, resample};

use crate::evaluable::Evaluable;

/// Of a lesion this share may lie outside the image that shows it: a rim cut by the image's end.
const MAX_OUTSIDE: f64 = 0.01;

/// The voxels of a lesion outlined in another image of the same frame of reference; `what` the image is called where it is told why
/// there are none.
pub fn voxels_of(image: &Volume<f32>, lesion: &Mask, what: &str) -> Evaluable<Vec<Index3>> {
    if image.grid().frame() != lesion.grid().frame() {
        return Evaluable::not(format!(
            "the {what} lies in another frame of reference than the lesion's outline; register the two first"
        ));
    }
    let outside = lesion.share_outside(image.grid());
    if outside > MAX_OUTSIDE && outside < 1.0 {
        return Evaluable::not(format!(
            "{:.0} % of the lesion lies outside the {what}'s field of view: what is there is not known",
            (100.0 * outside).max(1.0)
        ));
    }
    let inside: Vec<Index3> =
        resample::resample_mask(lesion, image.grid(), &Affine::identity()).indices_set().collect();
    match inside.is_empty().then(|| voxel_of_middle(image, lesion)) {
        None => Evaluable::Value(inside),
        Some(Some(middle)) => Evaluable::Value(vec![middle]),
        Some(None) => Evaluable::not(format!("the lesion lies outside the {what}'s field of view")),
    }
}

fn voxel_of_middle(image: &Volume<f32>, lesion: &Mask) -> Option<Index3> {
    let at = image.grid().patient_to_voxel().apply(mask_centroid(lesion)?).coords;
    let [i, j, k] = [at.x, at.y, at.z].map(f64::round).map(|v| (v >= 0.0).then_some(v as usize));
    let at = Index3 { i: i?, j: j?, k: k? };
    image.get(at).is_some().then_some(at)
}
