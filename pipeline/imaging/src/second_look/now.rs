//! What stands out at an outlined place on its own image, and what else it could be.

use rayon::prelude::*;

use super::NotSeen;
use super::places::{OPEN_AT_ALL, middle, share_as_large, spread};
use super::runs_on::runs_on;
use super::scene::Scene;
use super::template::Template;
use crate::{Mask, Mm};

/// The middle of an outline, free of its border: this part of its size.
const CORE: f64 = 0.6;

/// A place on the image it was outlined on. Values are in the image's unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Now {
    /// Mean inside less the median of the surroundings (2 to 10 mm off).
    pub contrast: f64,
    /// Mean of the middle of the outline.
    pub core: f64,
    /// Radius of a sphere of its volume.
    pub radius: Mm,
    /// Share of other places of the organ whose contrast is as far from what is usual, 0 to 1.
    pub share: f64,
    /// Number of those places.
    pub n_places: usize,
    /// How many times the usual spread of values there is in its surroundings.
    pub unrest: f64,
    /// How far, at least, its values run on beyond the outline in strands; `None` where they do not.
    pub runs_on: Option<Mm>,
}

/// Looks at an outline (a mask of any grid in the scene's frame) on its own image.
pub fn look(scene: &Scene, outline: &Mask) -> Result<Now, NotSeen> {
    let template = Template::new(scene, outline, Mm(0.0), &[1.0, CORE]).ok_or(NotSeen::NotInOrgan)?;
    if !scene.is_in_organ(template.at, &template) {
        return Err(NotSeen::NotInOrgan);
    }
    let ring = scene.ring(template.at, &template).ok_or(NotSeen::NotInOrgan)?;
    let mean = |inside| scene.mean(template.at, [0; 3], inside, OPEN_AT_ALL).ok_or(NotSeen::NotInOrgan);
    let contrast = mean(&template.sizes[0].inside)? - ring.median;
    let core = template.sizes.get(1).map_or(Ok(contrast + ring.median), |size| mean(&size.inside))?;
    let places = scene.other_places(&template, 2.0 * template.radius.0)?;
    let elsewhere: Vec<(f64, f64)> = places
        .par_iter()
        .filter_map(|at| {
            let there = scene.ring(*at, &template)?;
            Some((scene.mean(*at, [0; 3], &template.sizes[0].inside, OPEN_AT_ALL)? - there.median, there.sd))
        })
        .collect();
    let (contrasts, mut spreads): (Vec<f64>, Vec<f64>) = elsewhere.into_iter().unzip();
    let (usual, _) = spread(&contrasts);
    let far: Vec<f64> = contrasts.iter().map(|c| (c - usual).abs()).collect();
    Ok(Now {
        contrast,
        core,
        radius: template.radius,
        share: share_as_large((contrast - usual).abs(), &far),
        n_places: far.len(),
        unrest: ring.sd / middle(&mut spreads).max(f64::MIN_POSITIVE),
        runs_on: runs_on(scene, &template, ring, core),
    })
}
