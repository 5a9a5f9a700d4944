//! Lesions in pieces and lesions grown together: what the one-to-one assignment left over is explained by what it linked, where that
//! is likelier than a new lesion or a vanished one.
//!
//! Pieces are judged together: their common centre and volume must fit the lesion, and no piece may lie farther from the common centre
//! than the lesion reached. So an error of the registration, which displaces all pieces alike, does not count.

use imaging::{Mm3, Patient, Point};

use super::finding::Finding;
use super::known::Known;
use super::likelihood::{ABSENT, MERGED, NEW, SPLIT, misplacement};
use super::linking::{Comparison, Found, Link, Parts};

/// Lesions and findings that are one: several findings where a lesion is in pieces, several lesions where they grew together.
#[derive(Debug, Clone)]
pub(super) struct Group {
    pub(super) link: Link,
    /// The link's finding and further pieces, by number.
    pub(super) findings: Vec<usize>,
    /// The link's lesion and those grown together with it, with the probability that they are.
    pub(super) tracks: Vec<(usize, f64)>,
    /// Probability that the pieces belong to it.
    pub(super) pieces_confidence: f64,
}

/// What became of the findings.
pub(super) struct Groups {
    pub(super) groups: Vec<Group>,
    /// Findings that belong to none, with how much likelier that is than a piece of a lesion (a logarithm), and of which.
    pub(super) alone: Vec<(usize, Option<(usize, f64)>)>,
}

/// How well pieces' places within a lesion are known, mm: the outline's shape is not.
const PLACE_ERROR_MM: f64 = 2.0;
/// What overlap counts where the registration is exact.
const OVERLAP_COUNTS: f64 = 4.0;
/// What counts for a lesion whose last centre lies inside the finding.
const COVERED: f64 = 2.0;

enum Step {
    Piece(usize, usize),
    Joined(usize, usize),
}

/// Takes the step that explains most, until none explains anything. Findings in `set_aside` (foci at a zone) are no pieces.
pub(super) fn group(seen: &Comparison<'_>, links: &[Link], set_aside: &[usize]) -> Groups {
    let one = |link: &Link| Group {
        link: *link,
        findings: vec![link.finding],
        tracks: vec![(link.track, link.confidence)],
        pieces_confidence: 1.0,
    };
    let mut groups: Vec<Group> = links.iter().map(one).collect();
    loop {
        let taken = |n: &usize| set_aside.contains(n) || groups.iter().any(|g| g.findings.contains(n));
        let loose: Vec<usize> = (0..seen.findings.len()).filter(|n| !taken(n)).collect();
        let unseen = seen.open.iter().filter(|t| groups.iter().all(|g| g.tracks.iter().all(|(own, _)| own != *t)));
        let pieces = loose.iter().flat_map(|n| (0..groups.len()).map(|g| Step::Piece(g, *n)));
        let joined = unseen.flat_map(|t| (0..groups.len()).map(|g| Step::Joined(g, *t)));
        let steps = pieces.chain(joined).map(|step| (gain(seen, &groups, &step), step));
        let best = steps.max_by(|a, b| a.0.total_cmp(&b.0)).filter(|(gain, _)| *gain > 0.0);
        let Some((gain, step)) = best else {
            let alone = loose.iter().map(|n| (*n, nearest_piece(seen, &groups, *n))).collect();
            return Groups { groups, alone };
        };
        let probability = 1.0 / (1.0 + (-gain).exp());
        match step {
            Step::Piece(g, finding) => {
                groups[g].findings.push(finding);
                groups[g].pieces_confidence = groups[g].pieces_confidence.min(probability);
            }
            Step::Joined(g, track) => groups[g].tracks.push((track, probability)),
        }
    }
}

/// The lesion of which a finding left alone would be a piece, and by how much less likely that is.
fn nearest_piece(seen: &Comparison<'_>, groups: &[Group], finding: usize) -> Option<(usize, f64)> {
    let gains = (0..groups.len()).map(|g| (groups[g].link.track, -gain(seen, groups, &Step::Piece(g, finding))));
    gains.min_by(|a, b| a.1.total_cmp(&b.1)).filter(|(_, less)| less.is_finite())
}

/// By how much a step lowers the cost of a group; minus infinity where it must not be taken.
fn gain(seen: &Comparison<'_>, groups: &[Group], step: &Step) -> f64 {
    let (Step::Piece(g, _) | Step::Joined(g, _)) = step;
    let group = &groups[*g];
    let tracks: Vec<usize> = group.tracks.iter().map(|(track, _)| *track).collect();
    let now = cost(seen, &tracks, &group.findings);
    match step {
        Step::Piece(_, finding) => {
            if !tracks.iter().all(|track| seen.may_be(*track, &seen.findings[*finding])) {
                return f64::NEG_INFINITY;
            }
            let pieces: Vec<usize> = group.findings.iter().copied().chain([*finding]).collect();
            let within = piece_within(seen, &tracks, &pieces, &seen.findings[*finding]);
            now + NEW - cost(seen, &tracks, &pieces) - SPLIT - within
        }
        Step::Joined(_, track) => {
            if seen.known[*track].is_none() || !group.findings.iter().all(|f| seen.may_be(*track, &seen.findings[*f])) {
                return f64::NEG_INFINITY;
            }
            let together: Vec<usize> = tracks.iter().copied().chain([*track]).collect();
            let within = lesion_within(seen, &together, *track, &group.findings);
            now + ABSENT - cost(seen, &together, &group.findings) - MERGED - within
        }
    }
}

/// Lesions expected as one.
fn expected(seen: &Comparison<'_>, tracks: &[usize]) -> Option<Known> {
    let known: Vec<_> = tracks.iter().filter_map(|track| seen.known[*track]).collect();
    let parts: Vec<_> = known.iter().map(|k| (k.center, k.volume)).collect();
    let (center, volume) = together(&parts)?;
    let reach = known.iter().map(|k| k.center.distance(center) + k.reach).fold(0.0, f64::max);
    let variance = known.iter().map(|k| k.variance).fold(f64::INFINITY, f64::min);
    Some(Known { center, variance, volume, reach })
}

/// Findings as one.
pub(super) fn found(findings: &[Finding], pieces: &[usize]) -> Option<Found> {
    let parts: Vec<_> = pieces.iter().map(|n| (findings[*n].center, findings[*n].volume.0)).collect();
    let (center, volume) = together(&parts)?;
    let reach = pieces.iter().map(|n| findings[*n].center.distance(center) + findings[*n].reach.0).fold(0.0, f64::max);
    Some(Found { center, volume, reach })
}

fn together(parts: &[(Point<Patient>, f64)]) -> Option<(Point<Patient>, f64)> {
    // A part without a volume (marked, not outlined) still has a place.
    let weights: f64 = parts.iter().map(|(_, volume)| volume.max(1.0)).sum();
    let mut sum = [0.0; 3];
    for (center, volume) in parts {
        for (sum, x) in sum.iter_mut().zip(center.to_array()) {
            *sum += x * volume.max(1.0) / weights;
        }
    }
    let [x, y, z] = sum;
    (!parts.is_empty()).then(|| (Point::new(x, y, z), parts.iter().map(|(_, volume)| volume).sum()))
}

fn cost(seen: &Comparison<'_>, tracks: &[usize], pieces: &[usize]) -> f64 {
    let (Some(expected), Some(found)) = (expected(seen, tracks), found(seen.findings, pieces)) else {
        return f64::INFINITY;
    };
    let overlap = |n: &usize, track: &usize| seen.findings[*n].overlaps.get(&seen.tracks[*track].id);
    let of_lesion: f64 = tracks
        .iter()
        .map(|track| {
            let share: f64 = pieces.iter().filter_map(|n| overlap(n, track)).map(|o| o.of_lesion).sum();
            share * seen.known[*track].map_or(0.0, |k| k.volume)
        })
        .sum::<f64>()
        / expected.volume.max(1.0);
    let of_finding: f64 = pieces
        .iter()
        .map(|n| {
            let share: f64 = tracks.iter().filter_map(|track| overlap(n, track)).map(|o| o.of_finding).sum();
            share * seen.findings[*n].volume.0
        })
        .sum::<f64>()
        / found.volume.max(1.0);
    // Of one and one the larger share counts: a leak, a cut. Several as one must cover one another.
    let share =
        if tracks.len() + pieces.len() == 2 { of_lesion.max(of_finding) } else { 0.5 * (of_lesion + of_finding) };
    seen.fit(Parts { tracks, findings: pieces }, &expected, &found, share)
}

/// How much overlap can be believed at this error of the registration.
fn overlap_counts(seen: &Comparison<'_>) -> f64 {
    OVERLAP_COUNTS / (1.0 + (seen.displacement.error / 3.0).powi(2))
}

/// What speaks against a piece: it lies farther out than the lesion reached.
fn piece_within(seen: &Comparison<'_>, tracks: &[usize], pieces: &[usize], piece: &Finding) -> f64 {
    let (Some(expected), Some(found)) = (expected(seen, tracks), found(seen.findings, pieces)) else {
        return f64::INFINITY;
    };
    // A leak makes the farthest voxel far and hardly the volume.
    let sphere = 0.5 * super::lesion_track::sphere_diameter(Mm3(expected.volume)).0;
    let reach = (1.05 * expected.reach).min(2.0 * sphere);
    let beyond = piece.center.distance(found.center) + 0.3 * piece.reach.0 - reach;
    let overlaps = tracks.iter().filter_map(|track| piece.overlaps.get(&seen.tracks[*track].id));
    let inside: f64 = overlaps.map(|o| o.of_finding).sum::<f64>().min(1.0);
    misplacement(beyond.max(0.0), PLACE_ERROR_MM) + overlap_counts(seen) * (0.5 - inside)
}

/// What speaks against a lesion having grown into the finding: it would stick out.
fn lesion_within(seen: &Comparison<'_>, tracks: &[usize], track: usize, pieces: &[usize]) -> f64 {
    let (Some(expected), Some(found), Some(known)) =
        (expected(seen, tracks), found(seen.findings, pieces), seen.known[track])
    else {
        return f64::INFINITY;
    };
    let shrunk = (found.volume / expected.volume.max(1.0)).cbrt().min(1.0);
    let beyond = known.center.distance(expected.center) + 0.6 * known.reach * shrunk - found.reach;
    let id = &seen.tracks[track].id;
    let inside: f64 = pieces.iter().filter_map(|n| seen.findings[*n].overlaps.get(id)).map(|o| o.of_lesion).sum();
    let covered = pieces.iter().any(|n| seen.findings[*n].covers.contains(id));
    let sticks_out = if covered { -COVERED } else { misplacement(beyond.max(0.0), PLACE_ERROR_MM) };
    sticks_out + overlap_counts(seen) * (0.5 - inside.min(1.0))
}
