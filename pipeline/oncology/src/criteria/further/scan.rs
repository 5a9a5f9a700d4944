//! What one visit's PET shows of the lesions: the value of each, those without one, and those that were not there before.
//!
//! Edge cases: a lesion that is gone, or an ablation zone without viable tumour, has no uptake; a lesion that is there and has no
//! value makes the hottest lesion uncertain, which every rule must say. A finding of which it was never certain at this or an earlier visit
//! that it is a lesion, or that it is new, is neither the hottest nor a new one; where it is hotter than the hottest, that is uncertain.

use std::collections::BTreeSet;

use super::FurtherInput;
use crate::cohort::{MeasurementRow, PetReferenceRow};
use crate::exact::Exact;
use crate::visit_id::VisitId;

/// One visit's PET.
pub(super) struct Scan<'a> {
    /// Reference and conditions.
    pub(super) pet: &'a PetReferenceRow,
    /// Uptake of every lesion that has a value; 0 of one that is gone.
    lesions: Vec<(&'a str, Exact)>,
    /// Lesions without a value, with the reason.
    missing: Vec<String>,
    /// Uptake of findings in doubt.
    doubted: Vec<(&'a str, Exact)>,
    /// Lesions that no earlier visit shows.
    first_seen: BTreeSet<&'a str>,
}

impl<'a> Scan<'a> {
    /// The scan of a visit by one quantity; why there is none.
    pub(super) fn of(input: &FurtherInput<'a>, quantity: &str, visit: VisitId) -> Result<Self, String> {
        let pet = input.pets.iter().find(|pet| pet.visit == visit).ok_or("no PET was measured at this visit")?;
        let own = || input.measurements.iter().filter(move |row| row.visit == visit);
        let ids: BTreeSet<&str> = own().map(|row| row.lesion_id.as_str()).collect();
        let (missing, doubted) = (Vec::new(), Vec::new());
        let mut scan = Self { pet, lesions: Vec::new(), missing, doubted, first_seen: BTreeSet::new() };
        for id in ids {
            let is_doubted = never_certain(input.measurements, id, visit);
            match uptake_of(own().filter(|row| row.lesion_id == id), quantity) {
                Ok(value) if is_doubted => scan.doubted.push((id, value)),
                Ok(value) => scan.lesions.push((id, value)),
                Err(reason) => scan.missing.push(format!("{quantity} of {id}: {reason}")),
            }
            let earlier = |row: &&MeasurementRow| row.lesion_id == id && row.visit < visit;
            let was_there = |row: &MeasurementRow| row.value.is_some_and(|value| value > 0.0);
            if !input.measurements.iter().filter(earlier).any(was_there) {
                scan.first_seen.insert(id);
            }
        }
        Ok(scan)
    }

    /// The hottest lesion's value; 0 where every lesion is gone, none where no lesion has a value.
    pub(super) fn hottest(&self) -> Option<Exact> {
        let hottest = self.lesions.iter().map(|(_, value)| *value).max();
        hottest.or_else(|| self.missing.is_empty().then_some(Exact::ZERO))
    }

    /// The hottest lesion's value if every lesion has one.
    pub(super) fn certain_hottest(&self) -> Result<Exact, String> {
        match (self.doubt(), self.hottest()) {
            (None, Some(hottest)) => Ok(hottest),
            (doubt, _) => Err(doubt.unwrap_or_default()),
        }
    }

    /// The sum over all lesions if every one has a value.
    pub(super) fn total(&self) -> Result<Exact, String> {
        match (self.missing.first(), self.doubted.iter().find(|(_, value)| *value > Exact::ZERO)) {
            (None, None) => Ok(self.lesions.iter().fold(Exact::ZERO, |sum, (_, value)| sum + *value)),
            (Some(reason), _) => Err(reason.clone()),
            (None, Some((id, _))) => Err(format!("{id} is perhaps no lesion or no new one")),
        }
    }

    /// Why the hottest lesion is uncertain; `None` where it is not.
    pub(super) fn doubt(&self) -> Option<String> {
        let hottest = self.hottest().unwrap_or(Exact::ZERO);
        let hotter = self.doubted.iter().filter(|(_, value)| *value > hottest);
        let told = hotter.map(|(id, value)| format!("{id}, perhaps no lesion or no new one, takes up more ({value})"));
        let doubts: Vec<String> = self.missing.iter().cloned().chain(told).collect();
        (!doubts.is_empty()).then(|| doubts.join("; "))
    }

    /// Whether every lesion, and what may be one, has a value below this one.
    pub(super) fn all_below(&self, limit: Exact) -> bool {
        let mut all = self.lesions.iter().chain(&self.doubted);
        self.missing.is_empty() && all.all(|(_, value)| *value < limit)
    }

    /// The hottest of the lesions that no earlier visit shows and whose uptake reaches a limit.
    pub(super) fn new_from(&self, limit: Exact) -> Option<(&'a str, Exact)> {
        let new = self.lesions.iter().filter(|(id, value)| self.first_seen.contains(id) && *value >= limit);
        new.copied().max_by_key(|(_, value)| *value)
    }
}

/// Whether a lesion is outlined, and at this visit and every one before it that outlines it only uncertainly so.
fn never_certain(measurements: &[MeasurementRow], id: &str, visit: VisitId) -> bool {
    let so_far = || measurements.iter().filter(|row| row.lesion_id == id && row.visit <= visit);
    let is_gone = |row: &MeasurementRow| matches!(row.state.as_str(), "absent" | "ablated" | "not_evaluable");
    so_far().any(|row| row.state == "uncertain") && so_far().all(|row| row.state == "uncertain" || is_gone(row))
}

/// The uptake of one lesion at one visit.
fn uptake_of<'a>(rows: impl Iterator<Item = &'a MeasurementRow>, quantity: &str) -> Result<Exact, String> {
    let mut reason = "not measured";
    for row in rows {
        if matches!(row.state.as_str(), "absent" | "ablated") {
            return Ok(Exact::ZERO);
        }
        if row.quantity == quantity {
            match row.value.filter(|_| row.evaluable).and_then(Exact::from_image) {
                Some(value) => return Ok(value),
                None => reason = &row.reason,
            }
        } else if reason == "not measured" && !row.reason.is_empty() {
            reason = &row.reason;
        }
    }
    Err(reason.to_owned())
}
