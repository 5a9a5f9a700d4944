//! Rows of distances from critical structures.

use oncology::{Evaluable, MeasurementRow};

use super::{caliper, hundredth, number};
use crate::stages::critical::{Distance, StructureDistances};
use crate::stages::find::VisitFacts;

/// `distance_NAME` of one lesion from every structure.
pub(super) fn of_lesion(blank: &MeasurementRow, label: u16, visit: &VisitFacts) -> Vec<MeasurementRow> {
    let own = |of: &StructureDistances| Some(row(blank, &format!("distance_{}", of.name), of.lesions.get(&label)?));
    visit.critical.iter().filter_map(own).collect()
}

/// `zone_distance_NAME` of the zones made for a lesion from every structure: of several zones the nearest counts.
pub(super) fn of_zones(blank: &MeasurementRow, labels: &[u16], visit: &VisitFacts) -> Vec<MeasurementRow> {
    let own = |of: &StructureDistances| {
        let all: Vec<&Evaluable<Distance>> = labels.iter().filter_map(|label| of.zones.get(label)).collect();
        let unknown = all.iter().find(|one| one.value().is_none());
        let length = |one: &Evaluable<Distance>| one.value().map_or(f64::INFINITY, |found| found.length.0);
        let nearest = all.iter().min_by(|a, b| length(a).total_cmp(&length(b)));
        Some(row(blank, &format!("zone_distance_{}", of.name), unknown.or(nearest)?))
    };
    visit.critical.iter().filter_map(own).collect()
}

fn row(blank: &MeasurementRow, quantity: &str, of: &Evaluable<Distance>) -> MeasurementRow {
    let length = of.clone().map(|found| found.length.0);
    let row = number(blank, quantity, "mm", "nearest points of the two surfaces", &length);
    let Some(found) = of.value() else { return row };
    let reach = found.half_width.0;
    MeasurementRow {
        low: Some(hundredth((found.length.0 - reach).max(0.0))),
        high: Some(hundredth(found.length.0 + reach)),
        caliper_lps_mm: found.nearest.as_ref().map(caliper).unwrap_or_default(),
        ..row
    }
}
