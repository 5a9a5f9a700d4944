//! Worked cases of SUV: the DICOM fields of one series through the same function that reads scans.
//!
//! Source: criteria conventions of SUV from DICOM; the fields are named in `test_data/criteria/pet.json`.

use formats::dicom::header::SliceHeader;
use formats::dicom::pet::suv_factor;
use formats::dicom::{PetHeader, SuvOptions};
use jiff::ToSpan as _;
use jiff::civil::DateTime;
use serde::Deserialize;
use serde_json::{Map, Value, json};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Attributes {
    units: String,
    suv_type: Option<String>,
    decay_correction: Option<String>,
    corrected_image: Option<Vec<String>>,
    dose_bq: Option<f64>,
    half_life_s: Option<f64>,
    weight_kg: Option<f64>,
    inj: Option<String>,
    series_time: Option<String>,
    earliest_acquisition: Option<String>,
    ge_0009_100d: Option<String>,
    dt_s: Option<i64>,
    voxel_bqml: Option<f64>,
    voxel: Option<f64>,
    stored: Option<f64>,
    rescale_slope: Option<f64>,
    rescale_intercept: Option<f64>,
    philips_7053_1000: Option<f64>,
    philips_7053_1009: Option<f64>,
}

/// SUV of the case's voxel with what it was computed from; `refused` with the reason where there is none.
pub(crate) fn suv(input: &Value) -> Result<Map<String, Value>, String> {
    let series: Attributes = serde_json::from_value(input.clone()).map_err(|error| error.to_string())?;
    let stored = series
        .stored
        .map(|stored| stored * series.rescale_slope.unwrap_or(1.0) + series.rescale_intercept.unwrap_or(0.0));
    let value = series.voxel_bqml.or(series.voxel).or(stored);
    let value = value.ok_or("expected voxel_bqml, voxel or stored")?;
    let got = match suv_factor(&[&slice(&series)?], &SuvOptions::STANDARD) {
        Err(error) => json!({ "refused": true, "suv": null, "reason": error.to_string() }),
        Ok(noted) => {
            let suv = noted.value;
            json!({
                "refused": false,
                "suv": value * suv.factor,
                "factor": suv.factor,
                "decayed_dose_bq": suv.inputs.decayed_dose_bq,
                "bqml": value * suv.inputs.philips_scale.filter(|_| series.philips_7053_1000.is_none()).unwrap_or(1.0),
            })
        }
    };
    match got {
        Value::Object(fields) => Ok(fields),
        _ => Err("no result".to_owned()),
    }
}

fn slice(series: &Attributes) -> Result<SliceHeader, String> {
    let clock = |text: &Option<String>| text.as_deref().map(date_time).transpose();
    let injection = clock(&series.inj)?;
    let given = clock(&series.series_time)?;
    let start = match (given, injection, series.dt_s) {
        (Some(start), _, _) => start,
        (None, Some(injection), Some(dt)) => injection.checked_add(dt.seconds()).map_err(|error| error.to_string())?,
        // Without a clock only the time in between matters.
        _ => DateTime::constant(2024, 1, 1, 12, 0, 0, 0),
    };
    let acquisition = clock(&series.earliest_acquisition)?.unwrap_or(start);
    let before =
        series.dt_s.map(|dt| start.checked_sub(dt.seconds())).transpose().map_err(|error| error.to_string())?;
    let corrected = ["ATTN".to_owned(), "DECY".to_owned()];
    let mut slice = SliceHeader::blank("PT");
    slice.series_date = Some(start.date());
    slice.series_time = Some(start.time());
    slice.acquisition_date = Some(acquisition.date());
    slice.acquisition_time = Some(acquisition.time());
    slice.pet = Some(Box::new(PetHeader {
        units: Some(series.units.clone()),
        suv_type: series.suv_type.clone(),
        decay_correction: series.decay_correction.clone(),
        corrected_image: series.corrected_image.clone().unwrap_or_else(|| corrected.to_vec()),
        weight_kg: series.weight_kg,
        total_dose: series.dose_bq,
        half_life_s: series.half_life_s,
        injection_datetime: injection.or(before),
        ge_scan_datetime: clock(&series.ge_0009_100d)?,
        philips_suv_scale: series.philips_7053_1000,
        philips_activity_scale: series.philips_7053_1009,
        ..PetHeader::default()
    }));
    Ok(slice)
}

/// `20240101T100000`.
fn date_time(text: &str) -> Result<DateTime, String> {
    DateTime::strptime("%Y%m%dT%H%M%S", text).map_err(|_| format!("expected a time as 20240101T100000, found {text:?}"))
}
