//! Rows of what a PET says of a lesion.

use oncology::measure::metabolic_volume::{AboveThreshold, MetabolicThreshold, MetabolicVolumes};
use oncology::{Evaluable, MeasurementRow};

use super::number;
use crate::stages::measure::Sizes;
use crate::stages::pet::PetFacts;

/// SUVmax, SUVpeak and the latter by lean body mass, SUVmean, then metabolic volume and glycolysis at each threshold.
pub(super) fn rows(blank: &MeasurementRow, sizes: &Sizes, pet: Option<&PetFacts>) -> Vec<MeasurementRow> {
    let mut rows = vec![
        number(blank, "suv_max", "SUVbw", "hottest voxel", &sizes.suv_max),
        number(blank, "suv_peak", "SUVbw", "highest mean of 1 cm³", &sizes.suv_peak),
    ];
    if let Some(pet) = pet {
        let method = format!("highest mean of 1 cm³, lean body mass by {}", pet.formula());
        rows.push(number(blank, "sul_peak", "SUL", &method, &pet.sul(&sizes.suv_peak)));
    }
    let mean = sizes.metabolic.clone().map(|found| found.suv_mean);
    rows.push(number(blank, "suv_mean", "SUVbw", "mean of the outline's voxels", &mean));
    rows.extend(MetabolicThreshold::ALL.into_iter().flat_map(|threshold| above(blank, &sizes.metabolic, threshold)));
    rows
}

/// Volume and glycolysis at one threshold.
fn above(
    blank: &MeasurementRow,
    metabolic: &Evaluable<MetabolicVolumes>,
    threshold: MetabolicThreshold,
) -> [MeasurementRow; 2] {
    let of = |value: fn(&AboveThreshold) -> f64| match metabolic {
        Evaluable::NotEvaluable(reason) => Evaluable::not(reason.clone()),
        Evaluable::Value(found) => match &found.above {
            Evaluable::NotEvaluable(reason) => Evaluable::not(reason.clone()),
            Evaluable::Value(parts) => match parts.iter().find(|part| part.threshold == threshold) {
                Some(part) => Evaluable::Value(value(part)),
                None => Evaluable::not(crate::stages::measure::NOT_YET),
            },
        },
    };
    let voxels = format!("voxels of the outline from {} on", threshold.words());
    let [volume, glycolysis] = [format!("mtv_{}", threshold.code()), format!("tlg_{}", threshold.code())];
    [
        number(blank, &volume, "mm3", &voxels, &of(|part| part.volume.0)),
        number(
            blank,
            &glycolysis,
            "SUVbw*ml",
            &format!("mean times volume: {voxels}"),
            &of(|part| part.glycolysis_suv_ml),
        ),
    ]
}
