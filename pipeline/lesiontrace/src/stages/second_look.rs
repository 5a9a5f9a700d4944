//! Stage *second look*: what tracking calls a new lesion is looked for again on its own image and on the first that shows its place.
//!
//! Outlines alone cannot tell a new lesion from one that was overlooked before or from an outline of nothing. What speaks against
//! it is kept with its visit, and tracking calls it equivocal.

use std::collections::BTreeMap;

use imaging::second_look::{Before, Doubt, NotSeen, Now, Pair, Scene, doubt, look, look_back};
use imaging::{Mask, Mm, Note};
use oncology::tracking::LesionTrack;
use oncology::{LesionState, VisitId};

use crate::plan::PatientPlan;
use crate::stages::find::VisitFacts;
use crate::stages::load::{LoadedSeries, load};
use crate::stages::segment::StageError;
use crate::stages::track::{Tracked, carried, places};

/// A finding that tracking called new: visit, label, lesion.
type Claim<'a> = (usize, u16, &'a LesionTrack);

/// Looks again at every new lesion; what speaks against it goes into the `doubts` of its visit. Whether any was found.
pub(crate) fn look_again(
    patient: &PatientPlan,
    visits: &mut [VisitFacts],
    tracked: &Tracked,
) -> Result<bool, StageError> {
    let mut claims: BTreeMap<usize, Vec<Claim<'_>>> = BTreeMap::new();
    for track in tracked.tracks.iter().filter(|track| track.first_visit > 0 && track.reader_name.is_none()) {
        let Some(first) = track.sightings.get(&track.first_visit) else { continue };
        if first.state == LesionState::Present {
            let own = first.labels.iter().map(|label| (track.first_visit, *label, track));
            claims.entry(track.first_visit).or_default().extend(own);
        }
    }
    let mut any = false;
    for (n, claims) in claims {
        let Against { doubts, notes } = at_visit(patient, visits, n, &claims)?;
        any |= !doubts.is_empty();
        visits[n].doubts.extend(doubts);
        visits[n].notes.extend(notes);
    }
    Ok(any)
}

/// What was found against the claims of one visit.
#[derive(Default)]
struct Against {
    doubts: BTreeMap<u16, String>,
    notes: Vec<Note>,
}

/// The claims of one visit, with at most two images in memory: its own and an earlier one.
fn at_visit(
    patient: &PatientPlan,
    visits: &[VisitFacts],
    n: usize,
    claims: &[Claim<'_>],
) -> Result<Against, StageError> {
    let mut against = Against::default();
    let claimed: Vec<u16> = claims.iter().map(|(_, label, _)| *label).collect();
    let now = Image::of(patient, visits, n, &claimed)?;
    for (k, is_reference, claims) in looks(visits, claims) {
        let before = Image::of(patient, visits, k, &[])?;
        for claim in claims {
            let found = looked(visits, (n, claim.1), (&now, &before), k);
            if is_reference {
                against.decide(&claim, found, now.unit, [visits[n].id, visits[k].id])?;
            } else if let Ok(Some(doubt @ Doubt::StoodOutBefore { .. })) = found {
                against.tell_since(&claim, &doubt, now.unit, [visits[n].id, visits[k].id]);
            }
        }
    }
    Ok(against)
}

impl Against {
    /// From the look at the visit that decides what is new.
    fn decide(
        &mut self,
        (_, label, track): &Claim<'_>,
        found: Result<Option<Doubt>, Unlooked>,
        unit: &str,
        [now, before]: [VisitId; 2],
    ) -> Result<(), StageError> {
        match found {
            Ok(Some(doubt)) => {
                let why = words(&doubt, unit, before);
                let message = format!("{now}: {} is perhaps not new: {why}", track.id);
                self.notes.push(Note::warning("perhaps_not_new", track.id.as_str(), message));
                self.doubts.insert(*label, why);
            }
            Ok(None) => {}
            Err(Unlooked::NotSeen(why)) => {
                let message = format!("{now}: {} was not looked for on {before}: {why}", track.id);
                self.notes.push(Note::info("no_second_look", track.id.as_str(), message));
            }
            Err(Unlooked::Stage(error)) => return Err(error),
        }
        Ok(())
    }

    /// From the look at a later visit: the lesion is new, but perhaps since longer.
    fn tell_since(&mut self, (_, label, track): &Claim<'_>, doubt: &Doubt, unit: &str, [now, before]: [VisitId; 2]) {
        if self.doubts.contains_key(label) {
            return;
        }
        let why = words(doubt, unit, before);
        let message = format!("{now}: {} is called new here, but {why}: it may be new since then", track.id);
        self.notes.push(Note::warning("new_before_it_was_outlined", track.id.as_str(), message));
    }
}

/// Earlier visits to look at, each with the claims it is looked at for. First those that decide what is new: the first visit that
/// shows the place, of the same role if there is one. Then the last ones, which tell whether it is new since longer.
fn looks<'a>(visits: &[VisitFacts], claims: &[Claim<'a>]) -> Vec<(usize, bool, Vec<Claim<'a>>)> {
    let mut reference: BTreeMap<usize, Vec<Claim<'_>>> = BTreeMap::new();
    let mut last: BTreeMap<usize, Vec<Claim<'_>>> = BTreeMap::new();
    for claim in claims {
        // What no earlier visit shows is tracking's own doubt.
        let shown = shown_before(visits, claim);
        let (Some(first), Some(latest)) = (shown.first(), shown.last()) else { continue };
        reference.entry(*first).or_default().push(*claim);
        if latest != first {
            last.entry(*latest).or_default().push(*claim);
        }
    }
    let all = reference.into_iter().map(|(k, claims)| (k, true, claims));
    all.chain(last.into_iter().map(|(k, claims)| (k, false, claims))).collect()
}

/// The earlier visits that show the place of a finding; of the same role alone if there is one.
fn shown_before(visits: &[VisitFacts], (n, label, _): &Claim<'_>) -> Vec<usize> {
    let Some(lesion) = visits[*n].lesion(*label) else { return Vec::new() };
    let Some(center) = imaging::diameter::mask_centroid(&lesion.mask) else { return Vec::new() };
    let place = visits[*n].to_baseline.to_fixed(center);
    let shows = |k: &usize| visits[*k].not_evaluable().is_none() && places::images(&visits[*k], place, Mm(0.0));
    let is_alike = |k: &usize| visits[*k].measured.role == visits[*n].measured.role;
    let shown: Vec<usize> = (0..*n).filter(shows).collect();
    if shown.iter().any(is_alike) { shown.into_iter().filter(is_alike).collect() } else { shown }
}

/// A visit's image, cut to the organ.
struct Image {
    unit: &'static str,
    scene: Option<Scene>,
}

impl Image {
    /// Zones and the lesions that are not `claimed` are set apart.
    fn of(patient: &PatientPlan, visits: &[VisitFacts], n: usize, claimed: &[u16]) -> Result<Self, StageError> {
        // What was noted when it was first read stands already.
        let LoadedSeries { image, unit, .. } = load(&patient.visits[n].measure, &mut Vec::new())?;
        let visit = &visits[n];
        let known = visit.zones.iter().chain(visit.lesions.iter().filter(|lesion| !claimed.contains(&lesion.label)));
        let known: Vec<&Mask> = known.map(|instance| &instance.mask).collect();
        let scene = visit.organ.as_ref().and_then(|organ| Scene::new(&image, organ, known));
        Ok(Self { unit, scene })
    }
}

/// Why nothing was seen.
enum Unlooked {
    NotSeen(String),
    Stage(StageError),
}

impl From<NotSeen> for Unlooked {
    fn from(why: NotSeen) -> Self {
        Self::NotSeen(why.to_string())
    }
}

/// What speaks against one finding.
fn looked(
    visits: &[VisitFacts],
    (n, label): (usize, u16),
    (now, before): (&Image, &Image),
    k: usize,
) -> Result<Option<Doubt>, Unlooked> {
    let no_organ = || Unlooked::NotSeen("no organ is outlined round it".to_owned());
    let (Some(scene), Some(earlier)) = (&now.scene, &before.scene) else { return Err(no_organ()) };
    let Some(lesion) = visits[n].lesion(label) else { return Err(no_organ()) };
    let outline: &Mask = &lesion.mask;
    let there = carried(outline, &visits[n], &visits[k]).map_err(Unlooked::Stage)?;
    let [Some(a), Some(b)] = [n, k].map(|visit| error_there(visits, visit, (n, outline))) else {
        let why = "nothing there tells the error of the registration: look at the place by eye";
        return Err(Unlooked::NotSeen(why.to_owned()));
    };
    let seen: Now = look(scene, outline)?;
    let pair = Pair {
        now: (scene, outline),
        before: (earlier, &there),
        carry: |p| visits[k].to_baseline.to_moving(visits[n].to_baseline.to_fixed(p)),
        slack: Mm(2.0 * a.hypot(b)),
        is_alike: visits[n].measured.role == visits[k].measured.role && now.unit == before.unit,
    };
    let back: Before = look_back(&pair, &seen)?;
    Ok(doubt(&seen, Some(&back), now.unit == "HU"))
}

/// Error, mm per axis, of a visit's way to baseline at the place of an outline of visit `n`; `None` where nothing tells it.
fn error_there(visits: &[VisitFacts], visit: usize, (n, outline): (usize, &Mask)) -> Option<f64> {
    if visit == 0 {
        return Some(0.0);
    }
    let center = imaging::diameter::mask_centroid(outline)?;
    let place = visits[n].to_baseline.to_fixed(center);
    Some(visits[visit].to_baseline.error_at(place)?.sigma().0)
}

/// A doubt in words; values in the image's unit, `before` is the earlier visit.
fn words(doubt: &Doubt, unit: &str, before: VisitId) -> String {
    let value = |v: f64| if unit == "HU" { format!("{v:+.0} HU") } else { format!("{v:+.3} ({unit})") };
    let percent = |share: f64| format!("{:.0} %", 100.0 * share);
    match doubt {
        Doubt::NothingStandsOut { contrast, share } => format!(
            "nothing stands out in its outline ({} against its surroundings, as much as at {} of other places)",
            value(*contrast),
            percent(*share)
        ),
        Doubt::StoodOutBefore { before: then, now } => format!(
            "something stood out at its place on {before} already ({} against its surroundings then, {} now)",
            value(*then),
            value(*now)
        ),
        Doubt::Unchanged { share } => {
            format!("its place looks as it did on {before} ({} of other places changed as much)", percent(*share))
        }
        Doubt::Water { core } => format!("its middle has {core:.0} HU, as water has: perhaps a cyst"),
        Doubt::RunsOn(length) => {
            format!("its values run on beyond its outline for {:.0} mm and more, as a vessel's do", length.0)
        }
        Doubt::Uneven { times } => {
            format!("values round it are {times:.1} times as uneven as elsewhere in the organ: perhaps an artefact")
        }
    }
}
