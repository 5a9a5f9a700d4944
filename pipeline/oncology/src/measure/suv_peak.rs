//! SUVpeak: the largest mean uptake in a sphere of 1 cm³ centred at a voxel of the lesion.
//!
//! Source: Wahl et al. 2009 (PERCIST), a sphere of 1 cm³; voxels count by the part of them that lies inside the sphere. The
//! sphere may reach beyond the lesion, but not beyond the image nor over voxels without a number: what it holds there is unknown.
//! Were that as hot as the lesion's hottest voxel, and its mean then above all others, the peak may lie there and is not evaluable.

use imaging::{Grid, Index3, Volume};

use crate::evaluable::Evaluable;

/// Volume of the sphere, mm³.
const SPHERE_MM3: f64 = 1000.0;

/// Points along each axis that probe how much of a voxel lies inside the sphere. Origin: at 4 mm voxels the sphere's volume then
/// comes out within 0.1 %.
const N_PROBES: i32 = 10;

/// One voxel of the sphere: its offset from the centre, and the part of it inside.
struct Part {
    offset: [i64; 3],
    weight: f64,
}

/// The largest mean over 1 cm³ round any of a lesion's voxels; these are indices of the image.
pub fn suv_peak(image: &Volume<f32>, lesion: impl IntoIterator<Item = Index3>) -> Evaluable<f64> {
    let sphere = sphere(image.grid());
    let centres: Vec<Index3> = lesion.into_iter().collect();
    let uptake = centres.iter().filter_map(|at| image.get(*at)).map(|suv| f64::from(*suv));
    let hottest = uptake.filter(|suv| suv.is_finite()).fold(f64::NEG_INFINITY, f64::max);
    let (mut peak, mut unseen) = (None::<f64>, None::<(f64, &Seen)>);
    let around: Vec<Seen> = centres.iter().map(|centre| seen_around(image, *centre, &sphere)).collect();
    for seen in &around {
        if seen.is_whole() {
            peak = Some(peak.map_or(seen.sum / seen.weight, |peak| peak.max(seen.sum / seen.weight)));
        } else {
            let at_most = (seen.sum + (seen.whole - seen.weight) * hottest) / seen.whole;
            if unseen.is_none_or(|(most, _)| at_most > most) {
                unseen = Some((at_most, seen));
            }
        }
    }
    match (peak, unseen) {
        (Some(peak), None) => Evaluable::Value(peak),
        (Some(peak), Some((at_most, _))) if at_most <= peak => Evaluable::Value(peak),
        (_, Some((_, seen))) => Evaluable::not(seen.why()),
        (None, None) => Evaluable::not("the lesion has no voxel in the PET"),
    }
}

/// What of a sphere the image shows.
struct Seen {
    sum: f64,
    weight: f64,
    /// Weight of the whole sphere.
    whole: f64,
    leaves_image: bool,
}

impl Seen {
    fn is_whole(&self) -> bool {
        self.weight >= self.whole
    }

    fn why(&self) -> String {
        let end = if self.leaves_image { "leaves the image" } else { "holds voxels without a number" };
        format!("the sphere of 1 cm³ that may be the hottest {end}: what is there is unknown")
    }
}

fn sphere(grid: &Grid) -> Vec<Part> {
    let radius = (SPHERE_MM3 * 3.0 / (4.0 * std::f64::consts::PI)).cbrt();
    let rows = grid.voxel_to_patient().to_rows();
    let spacing = grid.spacing_mm();
    let half_diagonal = spacing.iter().map(|mm| mm * mm).sum::<f64>().sqrt() / 2.0;
    let reach = spacing.map(|mm| (radius / mm + 0.5).ceil() as i64);
    let mut parts = Vec::new();
    for k in -reach[2]..=reach[2] {
        for j in -reach[1]..=reach[1] {
            for i in -reach[0]..=reach[0] {
                let offset = [i as f64, j as f64, k as f64];
                let distance = distance_mm(&rows, offset);
                let weight = if distance > radius + half_diagonal {
                    0.0
                } else if distance < radius - half_diagonal {
                    1.0
                } else {
                    share_inside(&rows, offset, radius)
                };
                if weight > 0.0 {
                    parts.push(Part { offset: [i, j, k], weight });
                }
            }
        }
    }
    parts
}

/// Part of a voxel that lies inside the sphere, by points spread evenly over it.
fn share_inside(rows: &[[f64; 4]; 4], offset: [f64; 3], radius: f64) -> f64 {
    let at = |n: i32| (f64::from(n) + 0.5) / f64::from(N_PROBES) - 0.5;
    let probe = |n: i32| [at(n % N_PROBES), at(n / N_PROBES % N_PROBES), at(n / N_PROBES.pow(2))];
    let is_inside = |n: &i32| {
        let [i, j, k] = probe(*n);
        distance_mm(rows, [offset[0] + i, offset[1] + j, offset[2] + k]) <= radius
    };
    (0..N_PROBES.pow(3)).filter(is_inside).count() as f64 / f64::from(N_PROBES.pow(3))
}

/// Length in mm of a step in voxels.
fn distance_mm(rows: &[[f64; 4]; 4], step: [f64; 3]) -> f64 {
    let squared = |row: &[f64; 4]| {
        let along = row[0] * step[0] + row[1] * step[1] + row[2] * step[2];
        along * along
    };
    (squared(&rows[0]) + squared(&rows[1]) + squared(&rows[2])).sqrt()
}

fn seen_around(image: &Volume<f32>, centre: Index3, sphere: &[Part]) -> Seen {
    let mut seen = Seen { sum: 0.0, weight: 0.0, whole: 0.0, leaves_image: false };
    for part in sphere {
        seen.whole += part.weight;
        match uptake_at(image, centre, part.offset) {
            None => seen.leaves_image = true,
            Some(suv) if suv.is_finite() => {
                seen.sum += part.weight * f64::from(suv);
                seen.weight += part.weight;
            }
            Some(_) => {}
        }
    }
    seen
}

/// The value some voxels away; `None` beyond the image.
fn uptake_at(image: &Volume<f32>, centre: Index3, offset: [i64; 3]) -> Option<f32> {
    let along = |at: usize, offset: i64| usize::try_from(at as i64 + offset).ok();
    let at = Index3 { i: along(centre.i, offset[0])?, j: along(centre.j, offset[1])?, k: along(centre.k, offset[2])? };
    image.get(at).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use imaging::{Affine, FrameId, Mask, Shape};

    fn grid(n: usize) -> Grid {
        let shape = Shape { ni: n, nj: n, nk: n };
        let rows = [[4.0, 0.0, 0.0, 3.0], [0.0, 4.0, 0.0, -7.0], [0.0, 0.0, 3.0, 11.0], [0.0, 0.0, 0.0, 1.0]];
        Grid::new(shape, Affine::from_rows(rows).unwrap(), FrameId::new("f")).unwrap()
    }

    #[test]
    fn the_sphere_has_one_cubic_centimetre() {
        let volume: f64 = sphere(&grid(9)).iter().map(|part| part.weight * 48.0).sum();
        assert!((volume - 1000.0).abs() < 5.0, "{volume}");
    }

    #[test]
    fn one_hot_voxel_is_diluted_by_its_share_of_the_sphere() {
        let hot = Index3 { i: 5, j: 4, k: 4 };
        let image = Volume::from_fn(grid(9), |at| if at == hot { 10.0 } else { 0.0 });
        let lesion = Mask::from_fn(grid(9), |at| at == hot);
        let peak = *suv_peak(&image, lesion.indices_set()).value().unwrap();
        assert!((peak - 10.0 * 48.0 / 1000.0).abs() < 0.01, "{peak}");
    }

    #[test]
    fn a_sphere_beyond_the_image_is_not_evaluable() {
        let corner = Index3 { i: 0, j: 4, k: 4 };
        let image = Volume::from_fn(grid(9), |_| 1.0);
        assert!(suv_peak(&image, [corner]).reason().unwrap().contains("leaves the image"));
    }

    #[test]
    fn what_is_not_shown_leaves_a_peak_only_where_it_cannot_be_hotter() {
        // A row of voxels to the image's end at i = 0, hottest at `hot`.
        let lesion = || (0..6).map(|i| Index3 { i, j: 4, k: 4 });
        let at = |hot: usize, nan: Option<Index3>| {
            let image = Volume::from_fn(grid(9), |at| match at {
                at if Some(at) == nan => f32::NAN,
                Index3 { i, j: 4, k: 4 } if i == hot => 30.0,
                at => {
                    if at.i.abs_diff(hot) < 2 {
                        10.0
                    } else {
                        0.5
                    }
                }
            });
            suv_peak(&image, lesion())
        };
        assert!(at(0, None).reason().unwrap().contains("leaves the image"));
        assert!(*at(5, None).value().unwrap() > 5.0, "hot far from the end: what is cut off there is colder");
        let beside = Some(Index3 { i: 5, j: 5, k: 4 });
        assert!(at(5, beside).reason().unwrap().contains("without a number"));
        let afar = Some(Index3 { i: 8, j: 8, k: 8 });
        assert_eq!(at(5, afar), at(5, None));
    }
}
