//! SUV against worked cases (`test_data/criteria/pet.json`), and every refusal.

use std::path::Path;

use jiff::civil::date;
use serde_json::Value;

use super::*;
use crate::dicom::element;
use crate::dicom::role::tests::header;

fn case(id: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../test_data/criteria/pet.json");
    let cases: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    cases.into_iter().find(|c| c["id"] == id).unwrap()
}

fn clock(value: &Value) -> DateTime {
    element::parse_datetime(&value.as_str().unwrap().replace('T', "")).unwrap().0
}

/// One slice with the fields of a worked case.
fn slice_of(input: &Value) -> SliceHeader {
    let start = input.get("series_time").map_or(date(2024, 1, 1).at(11, 0, 0, 0), clock);
    let acquisition = input.get("earliest_acquisition").map_or(start, clock);
    let uptake = input.get("dt_s").map_or(0, |v| v.as_i64().unwrap());
    let mut slice = header("PT", "PET");
    slice.series_date = Some(start.date());
    slice.series_time = Some(start.time());
    slice.acquisition_date = Some(acquisition.date());
    slice.acquisition_time = Some(acquisition.time());
    slice.pet = Some(Box::new(PetHeader {
        units: input["units"].as_str().map(str::to_owned),
        decay_correction: input["decay_correction"].as_str().map(str::to_owned),
        corrected_image: vec!["ATTN".into(), "DECY".into()],
        weight_kg: input["weight_kg"].as_f64(),
        total_dose: input["dose_bq"].as_f64(),
        half_life_s: input["half_life_s"].as_f64(),
        injection_datetime: Some(input.get("inj").map_or(start - uptake.seconds(), clock)),
        philips_activity_scale: input.get("philips_7053_1009").and_then(Value::as_f64),
        ..PetHeader::default()
    }));
    slice
}

fn factor(slice: &SliceHeader) -> Result<SuvFactor, SuvError> {
    suv_factor(&[slice], &SuvOptions::STANDARD).map(|noted| noted.value)
}

fn start_slice() -> SliceHeader {
    slice_of(&case("pet-01")["input"])
}

fn changed(change: impl FnOnce(&mut PetHeader)) -> SliceHeader {
    let mut slice = start_slice();
    change(slice.pet.as_mut().unwrap());
    slice
}

#[test]
fn worked_cases() {
    for id in ["pet-01", "pet-03", "pet-05"] {
        let case = case(id);
        let (input, expected) = (&case["input"], &case["expected"]);
        let suv = factor(&slice_of(input)).unwrap();
        let value = input
            .get("voxel_bqml")
            .and_then(Value::as_f64)
            .unwrap_or_else(|| input["stored"].as_f64().unwrap() * input["rescale_slope"].as_f64().unwrap());
        assert!((value * suv.factor - expected["suv"].as_f64().unwrap()).abs() < 1e-5, "{id}");
        if let Some(dose) = expected.get("decayed_dose_bq").and_then(Value::as_f64) {
            assert!((suv.inputs.decayed_dose_bq.unwrap() - dose).abs() < 1.0, "{id}");
        }
    }
}

#[test]
fn dose_at_administration_is_not_decayed_again() {
    let suv = factor(&changed(|p| p.decay_correction = Some("ADMIN".into()))).unwrap();
    assert_eq!(suv.factor, 80.0 * 1000.0 / 3.7e8);
}

#[test]
fn suv_pixels_are_left_alone() {
    let suv = factor(&changed(|p| p.units = Some("GML".into()))).unwrap();
    assert_eq!((suv.factor, suv.from), (1.0, "GML"));
    let lean = changed(|p| {
        p.units = Some("GML".into());
        p.suv_type = Some("LBMJAMES128".into());
    });
    assert!(matches!(factor(&lean), Err(SuvError::SuvType(_))));
}

#[test]
fn an_injection_before_midnight() {
    let mut slice = start_slice();
    slice.series_time = Some(jiff::civil::time(0, 30, 0, 0));
    slice.acquisition_time = slice.series_time;
    let pet = slice.pet.as_mut().unwrap();
    pet.injection_datetime = None;
    pet.injection_time = Some(jiff::civil::time(23, 30, 0, 0));
    let noted = suv_factor(&[&slice], &SuvOptions::STANDARD).unwrap();
    assert_eq!(noted.value.inputs.uptake_s, Some(3600.0));
    assert_eq!(noted.notes[0].code, "injection_before_midnight");
}

#[test]
fn a_late_reconstruction_takes_the_scanners_own_record() {
    let mut slice = slice_of(&case("pet-03")["input"]);
    slice.pet.as_mut().unwrap().ge_scan_datetime = Some(date(2024, 1, 1).at(11, 1, 0, 0));
    let suv = factor(&slice).unwrap();
    assert_eq!((suv.inputs.uptake_s, suv.inputs.scan_from), (Some(3660.0), Some("ge_private_0009_100d")));
}

#[test]
fn philips_counts() {
    let direct = changed(|p| {
        p.units = Some("CNTS".into());
        p.philips_suv_scale = Some(0.000_5);
        p.philips_activity_scale = Some(4.0);
    });
    assert_eq!(factor(&direct).unwrap().factor, 0.000_5);
    let bare = changed(|p| p.units = Some("CNTS".into()));
    assert!(matches!(factor(&bare), Err(SuvError::Units(_))));
}

#[test]
fn refusals_name_value_tag_and_remedy() {
    type Change = fn(&mut PetHeader);
    let cases: [(Change, &str); 12] = [
        (|p| p.total_dose = Some(370.0), "(0018,1074) is 370, which makes no dose from 1 MBq to 100 GBq; expected Bq"),
        (|p| p.total_dose = Some(3.7e14), "state its real unit with --dose-unit"),
        (|p| p.half_life_s = Some(109.8), "is 109.8 s, which no nuclide of PET has (F-18: 6586 s"),
        (|p| p.half_life_s = Some(0.0), "(0018,1075) is 0 s"),
        (|p| p.total_dose = None, "Radionuclide Total Dose (0018,1074) is missing"),
        (|p| p.weight_kg = Some(0.0), "(0010,1030) is 0 kg"),
        (|p| p.weight_kg = Some(7000.0), "(0010,1030) is 7000 kg"),
        (|p| p.half_life_s = None, "Half Life (0018,1075) is missing"),
        (|p| p.corrected_image = vec!["DECY".into()], "lacks ATTN"),
        (|p| p.decay_correction = Some("NONE".into()), "Decay Correction (0054,1102) is NONE"),
        (|p| p.injection_datetime = Some(date(2024, 1, 1).at(12, 0, 0, 0)), "-60.0 min after the injection"),
        (|p| p.injection_datetime = Some(date(2024, 1, 1).at(4, 0, 0, 0)), "420.0 min after the injection"),
    ];
    for (change, expected) in cases {
        let message = factor(&changed(change)).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn a_dose_in_megabecquerel_is_used_only_when_the_user_says_so() {
    let slice = changed(|p| p.total_dose = Some(370.0));
    let options = SuvOptions { dose_unit: DoseUnit::Mbq, ..SuvOptions::STANDARD };
    let suv = suv_factor(&[&slice], &options).unwrap().value;
    assert!((suv.factor - factor(&start_slice()).unwrap().factor).abs() < 1e-18);
}

#[test]
fn a_series_of_two_patients_weights_is_refused() {
    let (a, b) = (start_slice(), changed(|p| p.weight_kg = Some(81.0)));
    let error = suv_factor(&[&a, &b], &SuvOptions::STANDARD).unwrap_err();
    assert_eq!(error, SuvError::NotConstant("Patient's Weight (0010,1030)"));
}

#[test]
fn the_rest_between_injection_and_scan_is_told_whatever_the_decay_is_corrected_to() {
    let started = start_slice();
    let stated = started.pet.as_ref().unwrap().injection_datetime.unwrap();
    let scan = started.series_date.unwrap().to_datetime(started.series_time.unwrap());
    let want = seconds_between(stated, scan) / 60.0;
    assert!(want > 0.0);
    for correction in ["START", "ADMIN"] {
        let slice = changed(|pet| pet.decay_correction = Some(correction.to_owned()));
        assert!((uptake_minutes(&[&slice]).unwrap() - want).abs() < 1e-9, "{correction}");
    }
    let unstated = changed(|pet| (pet.injection_datetime, pet.injection_time) = (None, None));
    assert!(matches!(uptake_minutes(&[&unstated]), Err(SuvError::Missing(what)) if what.contains("0018,1078")));
    let late = changed(|pet| pet.injection_datetime = Some(scan + 1.hour()));
    assert!(matches!(uptake_minutes(&[&late]), Err(SuvError::Uptake { .. })));
}
