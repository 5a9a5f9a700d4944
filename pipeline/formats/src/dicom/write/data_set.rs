//! The data set of one slice, module by module.
//!
//! Source: DICOM PS3.3 C.7 (patient, study, series, frame of reference, image plane, image pixel), C.8.2 (CT), C.8.3 (MR), C.8.9 (PET).

use dicom::core::value::DataSetSequence;
use dicom::core::{DataElement, PrimitiveValue, Tag, VR};
use dicom::dictionary_std::tags;
use dicom::object::InMemDicomObject;
use imaging::Index3;
use jiff::civil::{Date, DateTime, Time};

use super::{Contrast, ModalityToWrite, PetToWrite, PlaneGeometry, SeriesToWrite, WriteError};
use crate::dicom::decimal::{as_written, decimal_string};

/// A data set under construction.
pub(super) struct Slice {
    pub(super) object: InMemDicomObject,
}

impl Slice {
    fn text(&mut self, tag: Tag, vr: VR, value: &str) {
        self.object.put(DataElement::new(tag, vr, PrimitiveValue::from(value)));
    }
    fn texts(&mut self, tag: Tag, vr: VR, values: &[String]) {
        self.text(tag, vr, &values.join("\\"));
    }
    /// Numbers as decimal strings; the caller passes finite ones.
    fn decimals(&mut self, tag: Tag, values: &[f64]) {
        let strings: Vec<String> = values.iter().map(|v| decimal_string(*v).unwrap_or_default()).collect();
        self.text(tag, VR::DS, &strings.join("\\"));
    }
    fn short(&mut self, tag: Tag, value: u16) {
        self.object.put(DataElement::new(tag, VR::US, PrimitiveValue::from(value)));
    }
    fn datetime(&mut self, date_tag: Tag, time_tag: Tag, at: DateTime) {
        self.text(date_tag, VR::DA, &date_text(at.date()));
        self.text(time_tag, VR::TM, &time_text(at.time()));
    }

    pub(super) fn put_identity(&mut self, series: &SeriesToWrite<'_>, sop_class: &str, k: usize) {
        self.text(tags::SPECIFIC_CHARACTER_SET, VR::CS, "ISO_IR 192");
        self.texts(tags::IMAGE_TYPE, VR::CS, &series.image_type);
        self.text(tags::SOP_CLASS_UID, VR::UI, sop_class);
        self.text(tags::SOP_INSTANCE_UID, VR::UI, &series.sop_instance_uids[k]);
        self.datetime(tags::STUDY_DATE, tags::STUDY_TIME, series.study_datetime);
        self.datetime(tags::SERIES_DATE, tags::SERIES_TIME, series.acquisition_datetime);
        self.datetime(tags::CONTENT_DATE, tags::CONTENT_TIME, series.acquisition_datetime);
        self.datetime(tags::ACQUISITION_DATE, tags::ACQUISITION_TIME, series.acquisition_datetime);
        self.text(tags::ACCESSION_NUMBER, VR::SH, "");
        self.text(tags::MANUFACTURER, VR::LO, &series.manufacturer);
        self.text(tags::REFERRING_PHYSICIAN_NAME, VR::PN, "");
        self.text(tags::STUDY_DESCRIPTION, VR::LO, &series.study_description);
        self.text(tags::SERIES_DESCRIPTION, VR::LO, &series.series_description);
        self.text(tags::PATIENT_NAME, VR::PN, "");
        self.text(tags::PATIENT_ID, VR::LO, series.patient_id.trim());
        self.text(tags::PATIENT_BIRTH_DATE, VR::DA, "");
        self.text(tags::PATIENT_SEX, VR::CS, series.patient_sex.as_deref().unwrap_or(""));
        if let Some(height) = series.patient_height_m {
            self.decimals(tags::PATIENT_SIZE, &[height]);
        }
        if let Some(weight) = series.patient_weight_kg {
            self.decimals(tags::PATIENT_WEIGHT, &[weight]);
        }
        self.text(tags::STUDY_INSTANCE_UID, VR::UI, &series.study_uid);
        self.text(tags::SERIES_INSTANCE_UID, VR::UI, &series.series_uid);
        self.text(tags::STUDY_ID, VR::SH, "");
        self.text(tags::SERIES_NUMBER, VR::IS, &series.series_number.to_string());
        self.text(tags::ACQUISITION_NUMBER, VR::IS, "1");
        self.text(tags::INSTANCE_NUMBER, VR::IS, &(k + 1).to_string());
        self.text(tags::FRAME_OF_REFERENCE_UID, VR::UI, series.volume.grid().frame().as_str());
        self.text(tags::POSITION_REFERENCE_INDICATOR, VR::LO, "");
    }

    pub(super) fn put_geometry(&mut self, series: &SeriesToWrite<'_>, plane: &PlaneGeometry, k: usize) {
        let position = series.volume.grid().center(Index3 { i: 0, j: 0, k }).coords;
        let normal = plane.row.cross(&plane.column);
        let [column_spacing, row_spacing, slice_spacing] = plane.spacing_mm;
        self.decimals(tags::IMAGE_POSITION_PATIENT, position.as_slice());
        let orientation: Vec<f64> = plane.row.iter().chain(plane.column.iter()).copied().collect();
        self.decimals(tags::IMAGE_ORIENTATION_PATIENT, &orientation);
        self.decimals(tags::PIXEL_SPACING, &[row_spacing, column_spacing]);
        self.decimals(tags::SLICE_THICKNESS, &[series.slice_thickness_mm]);
        if !matches!(series.modality, ModalityToWrite::Pet(_)) {
            self.decimals(tags::SPACING_BETWEEN_SLICES, &[slice_spacing]);
        }
        self.decimals(tags::SLICE_LOCATION, &[position.dot(&normal)]);
    }

    pub(super) fn put_modality(&mut self, series: &SeriesToWrite<'_>, k: usize) {
        match &series.modality {
            ModalityToWrite::Ct { kvp, contrast } => {
                self.text(tags::MODALITY, VR::CS, "CT");
                self.decimals(tags::KVP, &[*kvp]);
                self.text(tags::RESCALE_TYPE, VR::LO, "HU");
                self.put_contrast(contrast.as_ref());
            }
            ModalityToWrite::Mr { scanning_sequence, repetition_time_ms, echo_time_ms, contrast } => {
                self.text(tags::MODALITY, VR::CS, "MR");
                self.text(tags::SCANNING_SEQUENCE, VR::CS, scanning_sequence);
                self.text(tags::SEQUENCE_VARIANT, VR::CS, "NONE");
                self.text(tags::SCAN_OPTIONS, VR::CS, "");
                self.text(tags::MR_ACQUISITION_TYPE, VR::CS, "2D");
                self.decimals(tags::REPETITION_TIME, &[*repetition_time_ms]);
                self.decimals(tags::ECHO_TIME, &[*echo_time_ms]);
                self.text(tags::ECHO_TRAIN_LENGTH, VR::IS, "1");
                self.put_contrast(contrast.as_ref());
            }
            ModalityToWrite::Pet(pet) => {
                self.text(tags::MODALITY, VR::CS, "PT");
                self.put_pet(pet, series, k);
            }
        }
    }

    fn put_contrast(&mut self, contrast: Option<&Contrast>) {
        let Some(contrast) = contrast else { return };
        self.text(tags::CONTRAST_BOLUS_AGENT, VR::LO, &contrast.agent);
        self.text(tags::CONTRAST_BOLUS_ROUTE, VR::LO, &contrast.route);
        if let Some(start) = contrast.start_time {
            self.text(tags::CONTRAST_BOLUS_START_TIME, VR::TM, &time_text(start));
        }
    }

    fn put_pet(&mut self, pet: &PetToWrite, series: &SeriesToWrite<'_>, k: usize) {
        let n_slices = series.volume.shape().nk as u16;
        self.text(tags::UNITS, VR::CS, &pet.units);
        self.text(tags::COUNTS_SOURCE, VR::CS, "EMISSION");
        self.text(tags::SERIES_TYPE, VR::CS, "STATIC\\IMAGE");
        self.short(tags::NUMBER_OF_SLICES, n_slices);
        self.short(tags::IMAGE_INDEX, k as u16 + 1);
        self.text(tags::DECAY_CORRECTION, VR::CS, &pet.decay_correction);
        self.texts(tags::CORRECTED_IMAGE, VR::CS, &pet.corrected_image);
        if let Some(suv_type) = &pet.suv_type {
            self.text(tags::SUV_TYPE, VR::CS, suv_type);
        }
        let mut isotope = Slice { object: InMemDicomObject::new_empty() };
        isotope.text(tags::RADIOPHARMACEUTICAL, VR::LO, &pet.radiopharmaceutical);
        isotope.text(tags::RADIOPHARMACEUTICAL_START_TIME, VR::TM, &time_text(pet.injection.time()));
        isotope.decimals(tags::RADIONUCLIDE_TOTAL_DOSE, &[pet.total_dose_bq]);
        isotope.decimals(tags::RADIONUCLIDE_HALF_LIFE, &[pet.half_life_s]);
        let start = format!("{}{}", date_text(pet.injection.date()), time_text(pet.injection.time()));
        isotope.text(tags::RADIOPHARMACEUTICAL_START_DATE_TIME, VR::DT, &start);
        let sequence = DataSetSequence::from(vec![isotope.object]);
        self.object.put(DataElement::new(tags::RADIOPHARMACEUTICAL_INFORMATION_SEQUENCE, VR::SQ, sequence));
    }

    pub(super) fn put_pixels(&mut self, series: &SeriesToWrite<'_>, k: usize) -> Result<(), WriteError> {
        let shape = series.volume.shape();
        let n = shape.ni * shape.nj;
        let values = &series.volume.values()[k * n..(k + 1) * n];
        let slope = match series.modality {
            ModalityToWrite::Pet(_) => pet_slope(values),
            ModalityToWrite::Ct { .. } | ModalityToWrite::Mr { .. } => 1.0,
        };
        let stored = values.iter().map(|v| to_stored(*v, slope, k)).collect::<Result<Vec<i16>, WriteError>>()?;
        self.short(tags::SAMPLES_PER_PIXEL, 1);
        self.text(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME2");
        self.short(tags::ROWS, shape.nj as u16);
        self.short(tags::COLUMNS, shape.ni as u16);
        self.short(tags::BITS_ALLOCATED, 16);
        self.short(tags::BITS_STORED, 16);
        self.short(tags::HIGH_BIT, 15);
        self.short(tags::PIXEL_REPRESENTATION, 1);
        if !matches!(series.modality, ModalityToWrite::Mr { .. }) {
            self.decimals(tags::RESCALE_INTERCEPT, &[0.0]);
            self.decimals(tags::RESCALE_SLOPE, &[slope]);
        }
        // Bytes under the representation OW: little endian as the file, and written in one piece.
        let bytes: Vec<u8> = stored.into_iter().flat_map(i16::to_le_bytes).collect();
        self.object.put(DataElement::new(tags::PIXEL_DATA, VR::OW, PrimitiveValue::U8(bytes.into())));
        Ok(())
    }
}

/// The slope that spreads a slice over 16 bits, as a reader will read it; 1 for an empty slice.
fn pet_slope(values: &[f32]) -> f64 {
    let largest = values.iter().fold(0.0_f32, |m, v| m.max(v.abs()));
    let slope = f64::from(largest) / f64::from(i16::MAX);
    as_written(slope).filter(|s| *s > 0.0).unwrap_or(1.0)
}

fn to_stored(value: f32, slope: f64, k: usize) -> Result<i16, WriteError> {
    let stored = (f64::from(value) / slope).round();
    if (f64::from(i16::MIN)..=f64::from(i16::MAX)).contains(&stored) {
        Ok(stored as i16)
    } else {
        Err(WriteError::Value { value, k })
    }
}

fn date_text(date: Date) -> String {
    format!("{:04}{:02}{:02}", date.year(), date.month(), date.day())
}

fn time_text(time: Time) -> String {
    let micros = time.subsec_nanosecond() / 1000;
    format!("{:02}{:02}{:02}.{micros:06}", time.hour(), time.minute(), time.second())
}
