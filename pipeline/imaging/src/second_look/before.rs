//! Whether something stood out at the place on an earlier image, and whether the place has changed since.

use rayon::prelude::*;

use super::NotSeen;
use super::now::Now;
use super::places::{share_as_large, spread};
use super::scene::Scene;
use super::template::{Offset, Template};
use crate::{Mask, Mm, Patient, Point};

/// Sizes at which the outline is looked for: what was there before may have been smaller.
const SCALES: [f64; 3] = [1.0, 0.6, 0.35];

/// A place on an earlier image. Values are in the image's unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Before {
    /// Contrast of the size and place, within what the registration leaves open, that stood out most; its sign is that of now.
    pub contrast: f64,
    /// That size as a part of the outline's.
    pub scale: f64,
    /// Share of other places of the organ where as much stood out, 0 to 1.
    pub share: f64,
    /// Number of those places.
    pub n_places: usize,
    /// Share of other places that changed as much since, in the direction in which it stands out now; `None` for two images that
    /// do not show the same contrast.
    pub changed: Option<f64>,
}

/// Two images of one place.
pub struct Pair<'a, F> {
    /// The image on which it is outlined, and the outline.
    pub now: (&'a Scene, &'a Mask),
    /// The earlier image, and the outline carried there.
    pub before: (&'a Scene, &'a Mask),
    /// Carries points of the later image's frame to the earlier one's.
    pub carry: F,
    /// How far the registration may be off: twice its standard deviation.
    pub slack: Mm,
    /// Whether both show tissue in the same contrast: one modality, one phase.
    pub is_alike: bool,
}

/// Looks at a place on an earlier image.
pub fn look_back<F>(pair: &Pair<'_, F>, now: &Now) -> Result<Before, NotSeen>
where
    F: Fn(Point<Patient>) -> Option<Point<Patient>> + Sync,
{
    let (scene, outline) = pair.before;
    let template = Template::new(scene, outline, pair.slack, &SCALES).ok_or(NotSeen::NotInOrgan)?;
    if !scene.is_in_organ(template.at, &template) {
        return Err(NotSeen::NotInOrgan);
    }
    let sign = now.contrast.signum();
    let here = scene.contrasts(template.at, &template, sign).ok_or(NotSeen::NotInOrgan)?;
    let places = scene.other_places(&template, 2.0 * template.radius.0 + pair.slack.0)?;
    let there: Vec<Vec<f64>> = places.par_iter().filter_map(|at| scene.contrasts(*at, &template, sign)).collect();
    let usual: Vec<(f64, f64)> =
        (0..here.len()).map(|s| spread(&there.iter().map(|c| c[s]).collect::<Vec<_>>())).collect();
    let best = |found: &[f64]| {
        let stands_out = found.iter().zip(&usual).map(|(c, (middle, sd))| (c - middle) / sd).enumerate();
        stands_out.max_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or((0, f64::NEG_INFINITY))
    };
    let (size, stands_out) = best(&here);
    let elsewhere: Vec<f64> = there.iter().map(|found| best(found).1).collect();
    Ok(Before {
        contrast: sign * here[size],
        scale: template.sizes[size].scale,
        share: share_as_large(stands_out, &elsewhere),
        n_places: elsewhere.len(),
        changed: if pair.is_alike { changed(pair, &template, here[0], sign) } else { None },
    })
}

/// Share of places that changed as much; `None` where too few of them lie on both images.
fn changed<F>(pair: &Pair<'_, F>, earlier: &Template, before_here: f64, sign: f64) -> Option<f64>
where
    F: Fn(Point<Patient>) -> Option<Point<Patient>> + Sync,
{
    let ((now, outline), (before, _)) = (pair.now, pair.before);
    let template = Template::new(now, outline, Mm(0.0), &[1.0])?;
    let own_size = Template { sizes: earlier.sizes[..1].to_vec(), ..earlier.clone() };
    let here = now.contrasts(template.at, &template, sign)?[0] - before_here;
    let change = |at: &Offset| {
        let [i, j, k] = at.map(|x| x as usize);
        let center = now.grid.center(crate::Index3 { i, j, k });
        let there = before.grid.nearest((pair.carry)(center)?)?;
        let there = [there.i as i32, there.j as i32, there.k as i32];
        before.is_comparable(there, &own_size).then_some(())?;
        Some(now.contrasts(*at, &template, sign)?[0] - before.contrasts(there, &own_size, sign)?[0])
    };
    let places = now.other_places(&template, 2.0 * template.radius.0 + pair.slack.0).ok()?;
    let elsewhere: Vec<f64> = places.par_iter().filter_map(change).collect();
    (elsewhere.len() >= super::MIN_PLACES).then(|| share_as_large(here, &elsewhere))
}
