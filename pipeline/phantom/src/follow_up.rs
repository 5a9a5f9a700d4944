//! What has become of every lesion and zone of a patient at a visit, and under which label the masks show it.

use rand_chacha::ChaCha8Rng;

use crate::lesions::ZonePlan;
use crate::plan::PatientPlan;
use crate::random;
use crate::scenario::FocusStory;
use crate::scene::{Finding, Scene, ZoneShape};
use crate::star::Star;
use crate::tissue::Appearance;
use crate::truth::{Kind, Organ, Role, State};

/// A lesion's identifier.
pub(crate) fn lesion_id(lesion: usize) -> String {
    format!("L{}", lesion + 1)
}

/// A zone's identifier.
pub(crate) fn zone_id(zone: usize) -> String {
    format!("Z{}", zone + 1)
}

impl PatientPlan {
    /// What has become of a lesion at a visit.
    pub(crate) fn state(&self, lesion: usize, visit: usize) -> State {
        let scale = &self.lesions[lesion].story.scale;
        if self.focus_at(lesion, visit).is_some() {
            let first_control = self.zones.iter().filter(|z| z.lesion == lesion).map(|z| z.first_visit).min();
            return if first_control == Some(visit) { State::Residual } else { State::LocalProgression };
        }
        let ablated = self.zones.iter().any(|z| z.lesion == lesion && z.first_visit <= visit);
        match () {
            () if ablated => State::AblatedComplete,
            () if scale[visit] > 0.0 => State::Present,
            () if scale[..visit].iter().any(|s| *s > 0.0) => State::Absent,
            () => State::NotYet,
        }
    }

    /// The living focus of an ablated lesion, from the visit that first shows it until it is ablated again.
    fn focus_at(&self, lesion: usize, visit: usize) -> Option<(FocusStory, Star)> {
        let told = self.story.focus.filter(|f| f.lesion == lesion && f.visit <= visit)?;
        let ablated_again =
            |zone: &&ZonePlan| zone.lesion == lesion && (told.visit + 1..=visit).contains(&zone.first_visit);
        if self.zones.iter().any(|zone| ablated_again(&zone)) {
            return None;
        }
        self.focus.map(|star| (told, star))
    }

    /// The part a lesion plays: of those there at baseline the two largest of an organ are targets.
    pub(crate) fn role(&self, lesion: usize) -> Role {
        let own = &self.lesions[lesion].story;
        if own.scale[0] == 0.0 {
            return Role::New;
        }
        let larger = self
            .lesions
            .iter()
            .filter(|l| l.story.organ == own.organ && l.story.scale[0] > 0.0 && l.story.diameter_mm > own.diameter_mm);
        if larger.count() < 2 { Role::Target } else { Role::NonTarget }
    }

    /// What is visible of the lesions at a visit, in the lesions' order.
    pub(crate) fn findings(&self, visit: usize) -> Vec<Finding> {
        (0..self.lesions.len()).filter_map(|n| self.finding(n, visit)).collect()
    }

    pub(crate) fn finding(&self, lesion: usize, visit: usize) -> Option<Finding> {
        let plan = &self.lesions[lesion];
        let (outer, core) = match (self.state(lesion, visit), self.focus_at(lesion, visit)) {
            (_, Some((_, focus))) => (focus, None),
            (State::Present, None) => {
                let factor = plan.story.scale[visit];
                let about = plan.shape.centre;
                let core = plan.core.map(|c| c.scaled(factor).at(about + (c.centre - about) * factor));
                (plan.shape.scaled(factor), core)
            }
            _ => return None,
        };
        Some(Finding { lesion, outer, core, appearance: plan.appearance, in_liver: plan.story.organ == Organ::Liver })
    }

    /// The zones a visit shows, oldest first.
    pub(crate) fn zones_at(&self, visit: usize) -> Vec<ZoneShape> {
        let shown = self.zones.iter().enumerate().filter(|(_, z)| z.first_visit <= visit);
        let in_liver = |z: &ZonePlan| self.lesions[z.lesion].story.organ == Organ::Liver;
        shown.map(|(zone, z)| ZoneShape { zone, shape: z.at_visit(visit), in_liver: in_liver(z) }).collect()
    }

    /// The scene of a visit.
    pub(crate) fn scene<'a>(&'a self, visit: usize, findings: &'a [Finding], zones: &'a [ZoneShape]) -> Scene<'a> {
        let plan = &self.visits[visit];
        Scene { anatomy: &self.anatomy, pose: &plan.pose, findings, zones, table_y_mm: plan.table_y_mm }
    }

    /// The label of each finding of a visit: 1… in an order of the visit's own, so that labels do not give the tracking away.
    pub(crate) fn finding_labels(&self, visit: usize, n_findings: usize) -> Vec<u16> {
        shuffled(&mut random::stream(self.seed, &format!("lesion labels {visit}")), n_findings)
    }

    /// The label of each zone of a visit, in an order of the visit's own.
    pub(crate) fn zone_labels(&self, visit: usize, n_zones: usize) -> Vec<u16> {
        shuffled(&mut random::stream(self.seed, &format!("zone labels {visit}")), n_zones)
    }

    /// Whether mRECIST applies: every target enhances in the arterial phase.
    pub(crate) fn has_arterial_targets(&self) -> bool {
        let targets = self.lesions.iter().filter(|l| l.story.scale[0] > 0.0 && l.story.kind == Kind::Lesion);
        targets.map(|l| l.appearance).all(Appearance::has_arterial_enhancement)
    }
}

/// The numbers 1 to `n` in random order (Fisher–Yates).
fn shuffled(rng: &mut ChaCha8Rng, n: usize) -> Vec<u16> {
    let mut labels: Vec<u16> = (1..=n as u16).collect();
    for last in (1..n).rev() {
        labels.swap(last, random::whole(rng, 0, last as i64) as usize);
    }
    labels
}
