//! Which lesions were treated when: by the ablation zones that were found, and by name where a treatment leaves no zone.

use std::collections::BTreeMap;

use formats::clinical::TreatmentRecord;
use oncology::treatment::ClinicalFacts;
use oncology::{Date, LesionId};

use crate::stages::track::Tracked;

/// The lesions a treatment was found to have treated: those with a zone of its date and, where it leaves none (brachytherapy,
/// embolisation, radiotherapy, surgery), those that `treatments.csv` names as the reader's marks do.
pub(crate) fn targets(record: &TreatmentRecord, tracked: &Tracked) -> Vec<LesionId> {
    let with_zone = tracked.treated.iter().filter(|(_, dates)| dates.contains(&record.date)).map(|(id, _)| id.clone());
    let mut targets: Vec<LesionId> = with_zone.collect();
    if record.modality.is_locoregional() && !record.modality.leaves_ablation_zone() {
        let is_named = |name: &Option<String>| name.as_ref().is_some_and(|name| record.target_lesions.contains(name));
        targets.extend(tracked.tracks.iter().filter(|track| is_named(&track.reader_name)).map(|t| t.id.clone()));
    }
    targets.sort();
    targets.dedup();
    targets
}

/// The dates of local treatment of each lesion, by zone or by name.
pub(crate) fn dates(clinical: &ClinicalFacts, tracked: &Tracked) -> BTreeMap<LesionId, Vec<Date>> {
    let mut dates = tracked.treated.clone();
    for treatment in &clinical.treatments {
        for lesion in &treatment.target_lesions {
            let own = dates.entry(lesion.clone()).or_default();
            own.push(treatment.date);
            own.sort_unstable();
            own.dedup();
        }
    }
    dates
}
