//! Rows of the radiotherapy dose in a lesion.

use oncology::measure::dose::DoseStatistics;
use oncology::{Evaluable, MeasurementRow};

use super::number;
use crate::stages::dose::LesionDose;
use crate::stages::measure::NOT_YET;

/// A quantity, its unit, and where it stands.
type Column = (&'static str, &'static str, fn(&DoseStatistics) -> Option<f64>);

const COLUMNS: [Column; 7] = [
    ("dose_mean", "Gy", |found| Some(found.mean_gy)),
    ("dose_min", "Gy", |found| Some(found.min_gy)),
    ("dose_max", "Gy", |found| Some(found.max_gy)),
    ("dose_d95", "Gy", |found| Some(found.d95_gy)),
    ("dose_d90", "Gy", |found| found.d90_gy),
    ("dose_d98", "Gy", |found| found.d98_gy),
    ("dose_v20gy", "%", |found| found.v20gy_percent),
];

/// Mean, smallest and largest dose, D95, D90, D98 and V20Gy.
pub(super) fn rows(blank: &MeasurementRow, dose: &LesionDose) -> Vec<MeasurementRow> {
    let row = |(quantity, unit, of): Column| {
        let value = match &dose.statistics {
            Evaluable::NotEvaluable(reason) => Evaluable::not(reason.clone()),
            Evaluable::Value(found) => of(found).map_or_else(|| Evaluable::not(NOT_YET), Evaluable::Value),
        };
        MeasurementRow { series_role: "dose".to_owned(), ..number(blank, quantity, unit, &dose.method, &value) }
    };
    COLUMNS.map(row).to_vec()
}
