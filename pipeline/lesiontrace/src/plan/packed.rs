//! A patient's plan in little memory, until it is the patient's turn: cohorts have thousands of patients, and few are at work at once.

use formats::packed::{pack, unpack};
use oncology::reads::ReadRow;

use super::PatientPlan;

/// A plan, packed; what readers decided is apart, since the run is given more of it.
#[derive(Debug, Clone)]
pub(crate) struct PackedPatient {
    /// Identifier as in the images.
    pub(crate) id: String,
    /// What readers decided.
    pub(crate) reads: Vec<ReadRow>,
    plan: Form,
}

#[derive(Debug, Clone)]
enum Form {
    Packed(Box<[u8]>),
    /// A plan with a path that is no text has no packed form.
    Whole(Box<PatientPlan>),
}

impl PackedPatient {
    /// Packs a plan.
    pub(crate) fn of(mut plan: PatientPlan) -> Self {
        let (id, reads) = (plan.id.clone(), std::mem::take(&mut plan.reads));
        let plan = pack(&plan).map_or_else(|| Form::Whole(Box::new(plan)), Form::Packed);
        Self { id, reads, plan }
    }

    /// The plan, with the reads that were added since.
    pub(crate) fn open(&self) -> PatientPlan {
        let plan = match &self.plan {
            Form::Packed(bytes) => unpack(bytes),
            Form::Whole(plan) => PatientPlan::clone(plan),
        };
        PatientPlan { reads: self.reads.clone(), ..plan }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use formats::archive::{IndexRow, SeriesEntry};
    use formats::clinical::{PatientRecord, SeedRecord, TreatmentRecord};
    use formats::dicom::{PackedHeaders, RoleCandidate, SeriesRole, SliceHeader};
    use imaging::{Note, Point};
    use jiff::civil::date;
    use oncology::visit_window::VisitLabel;
    use oncology::{Modality, VisitId};

    use super::*;
    use crate::plan::{
        CriticalPlan, DaySide, MaskPlan, OutlineFile, Purpose, Region, RegionKind, SeriesPlan, StructurePlan, VisitPlan,
    };

    fn series() -> SeriesPlan {
        let row = IndexRow {
            patient_id: "P".to_owned(),
            study_date: Some(date(2020, 3, 2)),
            series_uid: "1.2".to_owned(),
            modality: "CT".to_owned(),
            description: "portal venous".to_owned(),
            role: SeriesRole::CtPortalVenous,
            candidates: vec![RoleCandidate { role: SeriesRole::CtPortalVenous, weight: 90, reason: "its name".into() }],
            volume: None,
            rank: 1,
            n_slices: 2,
            spacing_mm: Some([0.7, 0.7, 1.25]),
            usable: true,
            reasons: vec!["thick slices".to_owned()],
        };
        let headers = PackedHeaders::of(vec![SliceHeader::blank("CT"), SliceHeader::blank("CT")]);
        let notes = vec![Note::warning("one", "1.2", "of a series")];
        SeriesPlan { role: "ct".to_owned(), entry: SeriesEntry { row, headers, n_voxels: 512, notes, nifti: None } }
    }

    fn visit() -> VisitPlan {
        let id = VisitId::first(date(2020, 3, 2));
        let region = Region { number: 3, name: "lesion 1".to_owned(), kind: RegionKind::Lesion };
        let file = OutlineFile::StructureSet;
        let set = StructurePlan { path: "rs.dcm".into(), file, regions: vec![region] };
        let mark = SeedRecord {
            patient_id: "P".to_owned(),
            lesion_id: "L1".to_owned(),
            visit: id,
            point: Point::new(1.5, -2.25, 1e-3),
            organ: "liver".to_owned(),
            role: String::new(),
            line: 4,
        };
        VisitPlan {
            id,
            label: VisitLabel::FartherIn("6 weeks".to_owned(), 51),
            purpose: Purpose::Control,
            side: Some(DaySide::After),
            measure: series(),
            arterial: Some(series()),
            pet: None,
            adc: None,
            masks: Some(MaskPlan::Structures(vec![set])),
            doses: vec!["dose.dcm".into()],
            given_map: Some("map.tfm".into()),
            critical: vec![CriticalPlan { name: "portal_vein".to_owned(), path: "portal_vein.nii.gz".into() }],
            marks: vec![mark],
            shortened: Some("a slice is missing".to_owned()),
            second_choice: None,
        }
    }

    fn patient() -> PatientPlan {
        let treatment = TreatmentRecord {
            patient_id: "P".to_owned(),
            date: date(2020, 3, 20),
            time: None,
            session: "1".to_owned(),
            cycle: Some(1),
            modality: Modality::Mwa,
            target_lesions: vec!["L1".to_owned()],
            complication_grade: String::new(),
            line: 2,
        };
        let record = PatientRecord {
            patient_id: "P".to_owned(),
            diagnosis: "HCC".to_owned(),
            death_date: None,
            last_contact_date: Some(date(2021, 1, 1)),
            covariates: [("sex".to_owned(), "F".to_owned())].into(),
            line: 2,
        };
        PatientPlan {
            id: "P".to_owned(),
            visits: vec![visit()],
            history: vec![visit()],
            record: Some(record),
            treatments: vec![treatment],
            markers: Vec::new(),
            reads: vec![ReadRow { patient_id: "P".to_owned(), ..ReadRow::default() }],
            notes: vec![Note::info("two", "P", "of a patient")],
            faults: vec!["a fault".to_owned()],
            input_digest: "0123".to_owned(),
        }
    }

    #[test]
    fn a_plan_comes_out_of_a_pack_as_it_went_in_with_the_reads_given_since() {
        let mut packed = PackedPatient::of(patient());
        assert!(matches!(packed.plan, Form::Packed(_)));
        assert_eq!(format!("{:?}", packed.open()), format!("{:?}", patient()));
        packed.reads.push(ReadRow::default());
        assert_eq!(packed.open().reads.len(), 2);
    }

    #[cfg(unix)]
    #[test]
    fn a_plan_with_a_path_that_is_no_text_is_kept_whole() {
        use std::ffi::OsStr;
        use std::os::unix::ffi::OsStrExt as _;
        let mut odd = patient();
        odd.visits[0].given_map = Some(PathBuf::from(OsStr::from_bytes(b"M\xFCller/map.tfm")));
        let packed = PackedPatient::of(odd.clone());
        assert!(matches!(packed.plan, Form::Whole(_)));
        assert_eq!(format!("{:?}", packed.open()), format!("{odd:?}"));
    }
}
