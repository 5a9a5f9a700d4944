//! Stage *margin*: the ablative margin of every treated lesion, from the last study before ablation to the first after it.

use std::collections::BTreeSet;

use imaging::margin::verdict::{Evidence, RegistrationEvidence, judge, measurement_sigma};
use imaging::margin::{AblationMargin, CAPSULE_EXCLUSION, MarginInput, ablation_margin};
use imaging::registration::{Quality, Registration};
use imaging::{Connectivity, Mask, Mm, Note, components, united};
use oncology::tracking::LesionTrack;
use oncology::{Date, LesionId, LesionKind, MarginRow};

use crate::patient_axes::{anatomical, towards};
use crate::stages::find::VisitFacts;
use crate::stages::register::restate;
use crate::stages::segment::{Instance, StageError};
use crate::stages::track::Tracked;

/// One margin to be measured: which lesion, before and after which treatment.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Pair {
    /// Which lesion.
    pub(crate) lesion: LesionId,
    /// Date of the ablation.
    pub(crate) treated: Date,
    /// Visit that shows the tumour before it.
    pub(crate) before: usize,
    /// Visit that shows the zone after it.
    pub(crate) after: usize,
}

/// Every pair of studies round an ablation.
pub(crate) fn pairs(visits: &[VisitFacts], tracked: &Tracked) -> Vec<Pair> {
    let mut pairs = Vec::new();
    for (lesion, dates) in &tracked.treated {
        let Some(track) = tracked.tracks.iter().find(|t| t.id == *lesion) else { continue };
        for treated in dates {
            let before = (0..visits.len()).rev().find(|n| visits[*n].is_before(*treated) && has_labels(track, *n));
            let after = (0..visits.len()).find(|n| {
                visits[*n].is_after(*treated) && Some(*n) != before && tracked.zones.contains_key(&(*n, lesion.clone()))
            });
            if let (Some(before), Some(after)) = (before, after) {
                pairs.push(Pair { lesion: lesion.clone(), treated: *treated, before, after });
            }
        }
    }
    pairs
}

fn has_labels(track: &LesionTrack, visit: usize) -> bool {
    track.sightings.get(&visit).is_some_and(|s| !s.labels.is_empty())
}

/// One margin as the tables and the page want it.
#[derive(Debug, Clone)]
pub(crate) struct MeasuredMargin {
    /// The row of `margins.csv`.
    pub(crate) row: MarginRow,
    /// The margin by direction, where there is one.
    pub(crate) map: Option<report::MarginMap>,
}

/// Measures one margin; `after_to_before` carries the study after ablation into the frame of the one before it.
pub(crate) fn measure(
    patient_id: &str,
    pair: &Pair,
    visits: &[VisitFacts],
    tracked: &Tracked,
    after_to_before: &Registration,
    threshold_mm: f64,
    notes: &mut Vec<Note>,
) -> Result<MeasuredMargin, StageError> {
    let tumour = tumour_of(pair, visits, tracked);
    let zone = zone_of(pair, visits, tracked);
    let (Some(tumour), Some(zone)) = (tumour, zone) else {
        return Err(StageError::new("margin", "masks", format!("{}: tumour or zone has no mask", pair.lesion)));
    };
    // One matrix moves the mask; a bent map carries the zone's surface point by point.
    let straight = after_to_before.bend.is_none();
    let restated = straight.then(|| restate(&zone, &after_to_before.moving_to_fixed, tumour.grid().frame().clone()));
    let restated = restated.transpose()?;
    // A lymph node lies in no organ: there is no capsule that ends its zone.
    let is_node = tracked.tracks.iter().any(|track| track.id == pair.lesion && track.kind == LesionKind::Node);
    let input = MarginInput {
        tumour: &tumour,
        ablation: restated.as_ref().unwrap_or(&zone),
        ablation_to_tumour: Some(after_to_before).filter(|_| !straight),
        organ: visits[pair.before].organ.as_ref().filter(|_| !is_node),
        capsule_exclusion: CAPSULE_EXCLUSION,
    };
    match ablation_margin(&input) {
        Ok(margin) => Ok(MeasuredMargin {
            row: row(patient_id, pair, visits, &margin, (after_to_before, &tumour), threshold_mm),
            map: margin.map.as_ref().map(|map| shown(pair, map)),
        }),
        Err(error) => {
            notes.push(Note::error("margin_not_measured", pair.lesion.as_str(), error.to_string()));
            let row = MarginRow { reasons: error.to_string(), ..blank(patient_id, pair, visits) };
            Ok(MeasuredMargin { row, map: None })
        }
    }
}

/// Why the tumour before an ablation is not the one it was made for: an earlier ablation lies between, and a later visit shows none. The
/// control scan of the earlier one's own day is no such visit: further sessions may be planned for what it left.
pub(crate) fn other_tumour(pair: &Pair, visits: &[VisitFacts], tracked: &Tracked) -> Option<String> {
    let earlier = tracked.treated.get(&pair.lesion)?.iter().filter(|date| **date < pair.treated);
    let between = |date: &Date| {
        visits[pair.before].is_before(*date)
            && visits.iter().any(|visit| visit.date() > *date && visit.is_before(pair.treated))
    };
    let first = earlier.copied().find(between)?;
    Some(format!(
        "between the ablations of {first} and {} no visit outlines the tumour that the second one was made for; that of {} was treated by the first",
        pair.treated, visits[pair.before].id
    ))
}

/// A margin that is not measured, with the reason.
pub(crate) fn not_measured(patient_id: &str, pair: &Pair, visits: &[VisitFacts], reasons: String) -> MeasuredMargin {
    MeasuredMargin { row: MarginRow { reasons, ..blank(patient_id, pair, visits) }, map: None }
}

/// The margin of a pair of visits that nobody registered to each other: lesions were linked otherwise after the images were read.
pub(crate) fn not_registered(patient_id: &str, pair: &Pair, visits: &[VisitFacts]) -> MeasuredMargin {
    let reasons = format!(
        "the visits {} and {} were not registered to each other when the images were read; run the patient again with --force and these reads",
        visits[pair.before].id, visits[pair.after].id
    );
    not_measured(patient_id, pair, visits, reasons)
}

/// The map as the page draws it. The tumour's frame has the patient's axes.
fn shown(pair: &Pair, map: &imaging::margin::map::MarginMap) -> report::MarginMap {
    use imaging::margin::map::{N_RINGS, N_SECTORS};
    let round = |mm: Mm| (mm.0 * 100.0).round() / 100.0;
    report::MarginMap {
        lesion_id: pair.lesion.to_string(),
        treatment_date: pair.treated,
        n_rings: N_RINGS,
        n_sectors: N_SECTORS,
        smallest_mm: map.smallest.iter().map(|cell| cell.map(round)).collect(),
        thinnest: Some(map.thinnest),
        thinnest_words: towards(map.thinnest),
    }
}

/// The tumour before ablation: all labels of the lesion at that visit, in the frame of that visit.
fn tumour_of(pair: &Pair, visits: &[VisitFacts], tracked: &Tracked) -> Option<Mask> {
    let track = tracked.tracks.iter().find(|t| t.id == pair.lesion)?;
    let labels = &track.sightings.get(&pair.before)?.labels;
    let pieces: Vec<&Mask> =
        labels.iter().filter_map(|label| visits[pair.before].lesion(*label)).map(|piece| &piece.mask).collect();
    united(&pieces)
}

/// What was ablated at the lesion: its zones after ablation, and every zone that touches one of them; where one ends at another, tissue
/// is no less ablated.
fn zone_of(pair: &Pair, visits: &[VisitFacts], tracked: &Tracked) -> Option<Mask> {
    let labels = tracked.zones.get(&(pair.after, pair.lesion.clone()))?;
    let zones = &visits[pair.after].zones;
    let own: Vec<&Instance> = zones.iter().filter(|zone| labels.contains(&zone.label)).collect();
    if zones.len() == own.len() && own.len() == 1 {
        return own.first().map(|zone| zone.mask.clone());
    }
    let all = united(&zones.iter().map(|zone| &zone.mask).collect::<Vec<_>>())?;
    let parts = components(&all, Connectivity::Corners);
    let in_part = |zone: &&Instance| {
        let at = zone.mask.indices_set().map(|at| all.grid().nearest(zone.mask.grid().center(at)));
        at.flatten().map(|at| *parts.labels.at(at)).collect::<BTreeSet<u32>>()
    };
    let touching: BTreeSet<u32> = own.iter().flat_map(in_part).collect();
    Some(parts.labels.map(|part| touching.contains(part)))
}

fn blank(patient_id: &str, pair: &Pair, visits: &[VisitFacts]) -> MarginRow {
    MarginRow {
        patient_id: patient_id.to_owned(),
        lesion_id: pair.lesion.to_string(),
        treatment_date: pair.treated,
        study_date: visits[pair.after].date(),
        min_margin_mm: None,
        low_mm: None,
        high_mm: None,
        p5_mm: None,
        frac_lt0: None,
        frac_0_5: None,
        frac_5_10: None,
        frac_ge10: None,
        excluded_capsule_fraction: None,
        verdict: "not_reportable".to_owned(),
        reasons: String::new(),
        tumour_coverage: None,
        histogram_counts: String::new(),
        tumour_visit: visits[pair.before].id,
        zone_visit: visits[pair.after].id,
        p1_mm: None,
        p10_mm: None,
        p50_mm: None,
        residual_mm3: None,
        residual_fraction: None,
        thinnest_direction: String::new(),
        residual_direction: String::new(),
    }
}

fn row(
    patient_id: &str,
    pair: &Pair,
    visits: &[VisitFacts],
    margin: &AblationMargin,
    (registration, tumour): (&Registration, &Mask),
    threshold_mm: f64,
) -> MarginRow {
    let sigma = || registration.error_near(tumour).map(|error| error.sigma());
    let evidence = Evidence {
        threshold: Mm(threshold_mm),
        registration: match registration.quality {
            Quality::Fail => RegistrationEvidence::Failed,
            _ => sigma().map_or(RegistrationEvidence::Unknown, RegistrationEvidence::Sigma),
        },
        measurement_sigma: measurement_sigma(margin.resolution, margin.method),
    };
    let verdict = judge(margin, &evidence);
    let mut reasons: Vec<String> = verdict.reasons.iter().map(ToString::to_string).collect();
    if registration.quality == Quality::Review {
        reasons.push(format!("the registration needs review: {}", registration.reasons.join("; ")));
    }
    let round = |value: f64| (value * 100.0).round() / 100.0 + 0.0;
    let mut row = MarginRow {
        low_mm: verdict.interval.map(|[low, _]| round(low.0)),
        high_mm: verdict.interval.map(|[_, high]| round(high.0)),
        excluded_capsule_fraction: margin.excluded_capsule_fraction.map(round4),
        verdict: verdict.verdict.label().to_owned(),
        reasons: reasons.join("; "),
        tumour_coverage: Some(round4(margin.tumour_coverage)),
        residual_mm3: Some(round(margin.residual_volume.0)),
        residual_fraction: Some(round4(1.0 - margin.tumour_coverage)),
        thinnest_direction: margin.thinnest_direction().map(anatomical).unwrap_or_default(),
        residual_direction: margin.residual_direction.map(anatomical).unwrap_or_default(),
        ..blank(patient_id, pair, visits)
    };
    if let Some(distribution) = &margin.distribution {
        let fractions = distribution.fractions();
        row.min_margin_mm = Some(round(distribution.min().0));
        let percentile = |percent: f64| Some(round(distribution.percentile(percent).0));
        (row.p1_mm, row.p5_mm) = (percentile(1.0), percentile(5.0));
        (row.p10_mm, row.p50_mm) = (percentile(10.0), percentile(50.0));
        row.frac_lt0 = Some(round4(fractions.lt0));
        row.frac_0_5 = Some(round4(fractions.from_0_to_5));
        row.frac_5_10 = Some(round4(fractions.from_5_to_10));
        row.frac_ge10 = Some(round4(fractions.ge10));
        let counts: Vec<String> = distribution.histogram().weights.iter().map(|w| format!("{w:.0}")).collect();
        row.histogram_counts = counts.join(" ");
    }
    row
}

fn round4(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::civil::date;
    use oncology::reads::Reviewed;

    use super::*;
    use crate::stages::viewer::tests::visit;

    #[test]
    fn a_tumour_that_an_earlier_ablation_treated_is_not_that_of_the_next() {
        let visits: Vec<VisitFacts> = [1, 3, 5].map(|month| visit(month, "baseline", [0.0; 3])).into();
        let lesion = LesionId::new("L1");
        let why = |treated: &[Date], pair: (usize, Date, usize)| {
            let tracked = Tracked {
                tracks: Vec::new(),
                zones: BTreeMap::new(),
                treated: BTreeMap::from([(lesion.clone(), treated.to_vec())]),
                roles: BTreeMap::new(),
                reviewed: Reviewed::default(),
                notes: Vec::new(),
            };
            let (before, treated, after) = pair;
            other_tumour(&Pair { lesion: lesion.clone(), treated, before, after }, &visits, &tracked)
        };
        let (first, second) = (date(2024, 2, 1), date(2024, 4, 1));
        assert_eq!(why(&[first], (0, first, 1)), None, "the first ablation has its own tumour");
        assert_eq!(why(&[first, second], (1, second, 2)), None, "outlined anew between the two");
        let told = why(&[first, second], (0, second, 2)).expect("last outlined before the first ablation");
        assert!(told.starts_with("between the ablations of 2024-02-01 and 2024-04-01 no visit outlines"), "{told}");
        // Two sessions with no visit between them are one course.
        assert_eq!(why(&[first, date(2024, 2, 8)], (0, date(2024, 2, 8), 1)), None);
    }
}
