//! Which finding is which known lesion: the assignment of least total cost, and how much the next best one costs more.

use imaging::{Patient, Point};

use super::TrackingOptions;
use super::assignment::assign;
use super::displacement::{Displaced, Displacement};
use super::finding::{Finding, VisitFindings};
use super::known::{Known, known};
use super::lesion_track::LesionTrack;
use super::likelihood::{ABSENT, FORBIDDEN, NEW, counted_distance, misplacement, outline_error_mm, resizing};
use crate::lesion::Organ;

/// From this share on one of two outlines lies mostly inside the other: they may be one lesion however far apart their middles are.
const MOSTLY_INSIDE: f64 = 0.5;
/// What it costs to leave a finding and a lesion alone.
const ALONE: f64 = NEW + ABSENT;
/// A pair that readers' names make goes before everything else.
const NAMED: f64 = -1e3;
/// Error of a registration that does not tell it, mm per axis.
const UNKNOWN_ERROR_MM: f64 = 4.0;
/// How often displacement and assignment are found from one another.
const ROUNDS: usize = 3;
/// So many of the largest lesions are tried for a common displacement, and so many times the error of the registration.
const LARGEST: usize = 6;
const FARTHEST: f64 = 8.0;

/// One lesion found again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Link {
    pub(super) track: usize,
    pub(super) finding: usize,
    /// Probability of the best assignment against the best one without this link.
    pub(super) confidence: f64,
    /// The lesion that fits the finding next best, with the ratio of mismatches (0 far worse … 1 as good).
    pub(super) runner_up: Option<(usize, f64)>,
}

/// A visit while its findings are compared with what is known.
pub(super) struct Comparison<'a> {
    pub(super) tracks: &'a [LesionTrack],
    pub(super) known: Vec<Option<Known>>,
    pub(super) findings: &'a [Finding],
    pub(super) displacement: Displacement,
    options: &'a TrackingOptions,
    /// Lesions that may be found again: no zone stands in their place.
    pub(super) open: Vec<usize>,
}

impl<'a> Comparison<'a> {
    pub(super) fn new(tracks: &'a [LesionTrack], seen: &'a VisitFindings, options: &'a TrackingOptions) -> Self {
        let error = seen.registration_error.map_or(UNKNOWN_ERROR_MM, |error| error.0);
        Self {
            tracks,
            known: known(tracks, seen.visit),
            findings: &seen.findings,
            displacement: Displacement::unknown(error),
            options,
            open: (0..tracks.len()).filter(|n| !seen.zones_visible.contains(&tracks[*n].id)).collect(),
        }
    }

    /// Whether finding and lesion may be the same at all: kind, organ, and names that readers gave.
    pub(super) fn may_be(&self, track: usize, finding: &Finding) -> bool {
        let track = &self.tracks[track];
        let differ = matches!((&track.reader_name, &finding.reader_name), (Some(a), Some(b)) if a != b);
        track.kind == finding.kind && same_place(&track.organ, &finding.organ) && !differ
    }

    /// Cost of a place and a volume for one or several lesions seen as one; `share` of one outline lies within the other.
    pub(super) fn fit(&self, of: Parts<'_>, expected: &Known, found: &Found, share: f64) -> f64 {
        let ([dx, dy, dz], left) = self.displacement.at(expected.center, of.tracks, of.findings);
        let [x, y, z] = expected.center.to_array();
        let there = Point::new(x + dx, y + dy, z + dz);
        let sigma = (left + expected.variance + outline_error_mm(found.reach.max(expected.reach)).powi(2)).sqrt();
        misplacement(counted_distance(there, found.center, share), sigma) + resizing(expected.volume, found.volume)
    }

    fn cost(&self, track: usize, n: usize) -> f64 {
        let finding = &self.findings[n];
        let lesion = &self.tracks[track];
        match (&lesion.reader_name, &finding.reader_name) {
            (Some(known), Some(named)) if known == named => return NAMED,
            _ if !self.may_be(track, finding) => return FORBIDDEN,
            _ => {}
        }
        let Some(known) = self.known[track] else { return FORBIDDEN };
        let share = finding.overlaps.get(&lesion.id).map_or(0.0, |o| o.of_lesion.max(o.of_finding));
        // Of an outline in several pieces the middle lies far from each of them.
        let is_far = self.displacement.from(known.center).distance(finding.center) > self.options.max_distance.0;
        if is_far && share < MOSTLY_INSIDE {
            return FORBIDDEN;
        }
        let found = Found { center: finding.center, volume: finding.volume.0, reach: finding.reach.0 };
        self.fit(Parts { tracks: &[track], findings: &[n] }, &known, &found, share)
    }

    /// The best links; the displacement of the visit is known afterwards.
    pub(super) fn links(&mut self) -> Vec<Link> {
        self.displacement = self.common_displacement();
        let mut links = Vec::new();
        for round in 0..ROUNDS {
            let costs = self.costs();
            links = self.best(&costs);
            if round + 1 < ROUNDS {
                self.displacement = self.displacement.with(self.displaced(&links));
            }
        }
        links
    }

    /// The displacement common to all that makes the links cheapest: none, or that of one large lesion to some finding. One pair
    /// alone gains nothing by it, as the displacement has its own cost.
    fn common_displacement(&self) -> Displacement {
        let error = self.displacement.error;
        let mut large: Vec<usize> = self.open.iter().copied().filter(|track| self.known[*track].is_some()).collect();
        let volume = |track: &usize| self.known[*track].map_or(0.0, |known| known.volume);
        large.sort_by(|a, b| volume(b).total_cmp(&volume(a)));
        let mut best = (self.total(&Displacement::unknown(error)), Displacement::unknown(error));
        if self.open.len() < 2 || self.findings.len() < 2 {
            return best.1;
        }
        for track in large.into_iter().take(LARGEST) {
            let Some(known) = self.known[track] else { continue };
            for finding in self.findings.iter().filter(|finding| self.may_be(track, finding)) {
                let distance = known.center.distance(finding.center);
                if distance > FARTHEST * error || resizing(known.volume, finding.volume.0) > 1.5 {
                    continue;
                }
                let (from, to) = (known.center.to_array(), finding.center.to_array());
                let common = Displacement::common(std::array::from_fn(|axis| to[axis] - from[axis]), error);
                let total = self.total(&common) + misplacement(distance, error);
                if total < best.0 {
                    best = (total, common);
                }
            }
        }
        best.1
    }

    /// What the best assignment costs under a displacement.
    fn total(&self, displacement: &Displacement) -> f64 {
        let with = Comparison {
            displacement: displacement.clone(),
            known: self.known.clone(),
            open: self.open.clone(),
            ..*self
        };
        let costs = with.costs();
        assign(&costs).iter().enumerate().map(|(row, column)| costs[row][*column]).sum()
    }

    fn costs(&self) -> Vec<Vec<f64>> {
        let n = self.findings.len();
        let of = |finding: usize| {
            let pairs = self.open.iter().map(|track| self.cost(*track, finding));
            pairs.chain(std::iter::repeat_n(ALONE, n)).collect()
        };
        (0..n).map(of).collect()
    }

    fn displaced(&self, links: &[Link]) -> Vec<Displaced> {
        let of = |link: &Link| {
            let (known, finding) = (self.known[link.track]?, &self.findings[link.finding]);
            let reach = finding.reach.0.max(known.reach);
            let weight = link.confidence * link.confidence;
            Some(Displaced {
                track: link.track,
                finding: link.finding,
                expected: known.center,
                found: finding.center,
                reach,
                weight,
            })
        };
        links.iter().filter_map(of).collect()
    }

    fn best(&self, costs: &[Vec<f64>]) -> Vec<Link> {
        let columns = assign(costs);
        let total = |columns: &[usize], costs: &[Vec<f64>]| -> f64 {
            columns.iter().enumerate().map(|(row, column)| costs[row][*column]).sum()
        };
        let least = total(&columns, costs);
        let made = columns
            .iter()
            .enumerate()
            .filter(|(row, column)| **column < self.open.len() && costs[*row][**column] <= ALONE);
        let link = |(finding, column): (usize, &usize)| {
            let mut without = costs.to_vec();
            without[finding][*column] = FORBIDDEN;
            let other = total(&assign(&without), &without) - least;
            Link {
                track: self.open[*column],
                finding,
                confidence: 1.0 / (1.0 + (-other).exp()),
                runner_up: self.runner_up(*column, &costs[finding]),
            }
        };
        made.map(link).collect()
    }

    /// The other lesion that fits a finding best, with the ratio of mismatches in units of their error.
    fn runner_up(&self, column: usize, costs: &[f64]) -> Option<(usize, f64)> {
        let others = (0..self.open.len()).filter(|other| *other != column && costs[*other] <= ALONE);
        let next = others.min_by(|a, b| costs[*a].total_cmp(&costs[*b]))?;
        let ratio = (costs[column].max(0.0) / costs[next].max(1e-9)).sqrt();
        Some((self.open[next], ratio))
    }

    /// The lesion not found again that a finding left alone might be, and by how much less likely that is.
    pub(super) fn nearly(&self, finding: usize, links: &[Link]) -> Option<(usize, f64)> {
        let free = self.open.iter().filter(|track| links.iter().all(|link| link.track != **track));
        let costs = free.map(|track| (*track, self.cost(*track, finding) - ALONE));
        costs.min_by(|a, b| a.1.total_cmp(&b.1)).filter(|(_, more)| *more < FORBIDDEN / 2.0)
    }
}

/// What is compared: what it says of the visit's displacement does not count for itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parts<'a> {
    pub(super) tracks: &'a [usize],
    pub(super) findings: &'a [usize],
}

/// One finding, or several as one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found {
    /// Centroid in the baseline frame.
    pub(super) center: Point<Patient>,
    /// Volume, mm³.
    pub(super) volume: f64,
    /// The farthest voxel from the centroid, mm.
    pub(super) reach: f64,
}

/// Organs differ only when both are known and differ.
fn same_place(a: &Organ, b: &Organ) -> bool {
    a == b || *a == Organ::Unknown || *b == Organ::Unknown
}
