//! The sizes of the sample page's lesions.

use oncology::MeasurementRow;

use super::{DATES, ID, text};

struct Measured<'a> {
    lesion_id: &'a str,
    visit: usize,
    quantity: &'a str,
    value: Option<f64>,
    unit: &'a str,
    state: &'a str,
    reason: &'a str,
}

fn row(value: &Measured<'_>) -> MeasurementRow {
    let (date, study_day, _) = DATES[value.visit];
    MeasurementRow {
        patient_id: text(ID),
        lesion_id: text(value.lesion_id),
        date: date.parse().unwrap(),
        study_day,
        series_role: text("ct_portal_venous"),
        quantity: text(value.quantity),
        value: value.value,
        unit: text(value.unit),
        low: None,
        high: None,
        method: text("contour"),
        evaluable: value.value.is_some(),
        reason: text(value.reason),
        state: text(value.state),
        caliper_lps_mm: String::new(),
        sop_instance_uid: String::new(),
        visit: date.parse().unwrap(),
    }
}

/// `(lesion, visit, long, short, mL, state, viable)`.
pub(super) type Size = (&'static str, usize, f64, f64, f64, &'static str, Option<f64>);
pub(super) const SIZES: [Size; 11] = [
    ("L1", 0, 28.4, 23.1, 9.31, "present", None),
    ("L1", 1, 44.2, 38.0, 33.8, "ablated", Some(0.0)),
    ("L1", 2, 40.1, 34.4, 25.2, "ablated", Some(0.0)),
    ("L1", 3, 36.6, 31.0, 18.7, "ablated", Some(0.0)),
    ("L1", 4, 38.9, 31.5, 20.4, "local_progression", Some(13.8)),
    ("L2", 0, 19.6, 15.2, 2.85, "present", None),
    ("L2", 1, 18.9, 15.0, 2.70, "present", None),
    ("L2", 2, 16.2, 12.9, 1.76, "present", None),
    ("L2", 4, 21.3, 17.4, 4.02, "present", None),
    ("L3", 3, 9.2, 7.7, 0.36, "present", None),
    ("L3", 4, 14.1, 11.8, 1.25, "present", None),
];

pub(super) fn measurements() -> Vec<MeasurementRow> {
    let mut rows = Vec::new();
    for (lesion_id, visit, long, short, ml, state, viable) in SIZES {
        let mut push = |quantity, value, unit| {
            rows.push(row(&Measured { lesion_id, visit, quantity, value: Some(value), unit, state, reason: "" }));
        };
        push("long_axis", long, "mm");
        push("short_axis", short, "mm");
        push("volume", 1000.0 * ml, "mm3");
        if let Some(viable) = viable {
            push("viable_long_axis", viable, "mm");
        }
    }
    let reason = "motion: breathing doubled the lesion's border in both phases";
    rows.push(row(&Measured {
        lesion_id: "L2",
        visit: 3,
        quantity: "long_axis",
        value: None,
        unit: "mm",
        state: "not_evaluable",
        reason,
    }));
    rows
}
