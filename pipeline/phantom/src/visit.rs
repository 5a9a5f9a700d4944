//! One visit rendered: its image series and the masks on the grid of its CT.

use imaging::{BqPerMl, FrameId, Grid, Hu, LabelMap, Mask, Volume};
use jiff::Span;
use jiff::civil::{Date, DateTime};

use crate::ct::{CtDraw, ct};
use crate::follow_up::{lesion_id, zone_id};
use crate::plan::PatientPlan;
use crate::random;
use crate::scenario::Diagnosis;
use crate::scene::{Scene, finding_of};
use crate::tissue::{FIRST_ZONE, Looks, Phase};
use crate::truth::{Kind, Organ, Role, State};

/// Standard deviation of a CT's noise, HU.
const CT_NOISE_HU: f32 = 12.0;

/// The kind of a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub enum Modality {
    /// Computed tomography.
    #[serde(rename = "CT")]
    Ct,
    /// Magnetic resonance.
    #[serde(rename = "MR")]
    Mr,
    /// Positron emission tomography.
    #[serde(rename = "PT")]
    Pt,
}

/// The voxels of a series in their own unit.
#[derive(Debug, Clone, PartialEq)]
pub enum Image {
    /// Whole HU, at least −1024.
    Ct(Volume<Hu>),
    /// Whole signal values without unit, 0 to about 1000.
    Mr(Volume<f32>),
    /// Activity concentration at the start of the scan.
    Pet(Volume<BqPerMl>),
}

impl Image {
    /// Where the voxels lie.
    #[must_use]
    pub fn grid(&self) -> &Grid {
        match self {
            Self::Ct(v) => v.grid(),
            Self::Mr(v) => v.grid(),
            Self::Pet(v) => v.grid(),
        }
    }
}

/// What turns a PET's activity concentration into standardised uptake.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PetInfo {
    /// Body weight, kg.
    pub weight_kg: f64,
    /// Activity injected, at the time of injection, Bq.
    pub injected_dose_bq: f64,
    /// When it was injected.
    pub injection: DateTime,
    /// Half-life of fluorine-18, s.
    pub half_life_s: f64,
    /// DICOM Decay Correction (0054,1102): activities are those at the start of the scan.
    pub decay_correction: &'static str,
    /// SUVbw per Bq/ml, g/Bq: weight over the dose left at the start of the scan.
    pub suv_per_bq_per_ml: f64,
}

/// One image series.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Kind.
    pub modality: Modality,
    /// Series Description.
    pub description: String,
    /// Contrast phase of a CT.
    pub phase: Option<Phase>,
    /// The voxels.
    pub image: Image,
    /// Series Instance UID.
    pub series_uid: String,
    /// Series Number.
    pub number: u32,
    /// Start of the acquisition, local time.
    pub acquisition: DateTime,
    /// Slice Thickness, mm.
    pub slice_thickness_mm: f64,
    /// PET only.
    pub pet: Option<PetInfo>,
}

impl Series {
    /// SOP Instance UID of slice `k`.
    #[must_use]
    pub fn sop_instance_uid(&self, k: usize) -> String {
        random::uid(k as u64, &self.series_uid)
    }
}

/// Which lesion a label of the lesion mask is.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct LesionRow {
    /// Label.
    pub label: u16,
    /// True lesion, the same at every visit.
    pub lesion_id: String,
    /// Organ.
    pub organ: Organ,
    /// Lesion or node.
    pub kind: Kind,
    /// Part it plays.
    pub role: Role,
    /// What has become of it.
    pub state: State,
}

/// Which zone a label of the zone mask is.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ZoneRow {
    /// Label.
    pub label: u16,
    /// True zone, the same at every visit.
    pub zone_id: String,
    /// The lesion it was made for.
    pub lesion_id: String,
    /// The session that made it, from 1.
    pub session: u32,
}

/// A rendered visit.
#[derive(Debug, Clone, PartialEq)]
pub struct Visit {
    /// 0 for baseline.
    pub number: usize,
    /// Day.
    pub date: Date,
    /// Name: the day, with `-2` for the second visit of a day.
    pub name: String,
    /// Study Instance UID.
    pub study_uid: String,
    /// Frame of reference shared by everything of this visit, and by nothing of another.
    pub frame: FrameId,
    /// CT phases in order of time on one grid, then MR and PET on their own.
    pub series: Vec<Series>,
    /// Liver with everything in it, on the CT's grid.
    pub organ: Mask,
    /// Lesions, on the CT's grid.
    pub lesions: LabelMap,
    /// Ablation zones, on the CT's grid.
    pub zones: LabelMap,
    /// The labels of `lesions`, ascending.
    pub lesion_rows: Vec<LesionRow>,
    /// The labels of `zones`, ascending.
    pub zone_rows: Vec<ZoneRow>,
}

impl PatientPlan {
    /// Renders visit `n`, 0 being baseline; `None` beyond the last one. The same bytes at any number of threads.
    #[must_use]
    pub fn visit(&self, n: usize) -> Option<Visit> {
        let plan = self.visits.get(n)?;
        let (findings, zones) = (self.findings(n), self.zones_at(n));
        let scene = self.scene(n, &findings, &zones);
        let content = scene.content(&plan.grid);
        let looks = scene.looks(&Looks::random(&mut random::stream(self.seed, "looks"), 1.0));
        let (lesion_labels, zone_labels) = (self.finding_labels(n, findings.len()), self.zone_labels(n, zones.len()));
        let mut series: Vec<Series> = self
            .phases()
            .iter()
            .map(|phase| {
                let key = random::key(self.seed, &format!("noise {n} {phase:?}"));
                let draw = CtDraw { looks: &looks.ct(*phase), noise_hu: CT_NOISE_HU, key };
                self.ct_series(n, *phase, ct(&content, &plan.grid, &draw))
            })
            .collect();
        if self.story.mr_and_pet_at == Some(n) {
            series.extend(self.mr_and_pet(n, &scene, &looks));
        }
        if let Some(uptake) = self.story.uptake.get(n) {
            series.push(self.pet_alone(n, &scene, &looks, *uptake));
        }
        let of = |values| LabelMap::from_values(values, plan.grid.clone()).expect("one value per voxel of the CT");
        let lesion_label = |c: &u8| finding_of(*c).map_or(0, |f| lesion_labels[f]);
        let zone_label = |c: &u8| if *c >= FIRST_ZONE { zone_labels[usize::from(c - FIRST_ZONE)] } else { 0 };
        let organ = content.codes.iter().map(|c| scene.is_organ(*c)).collect();
        Some(Visit {
            number: n,
            date: plan.date,
            name: self.visit_name(n),
            study_uid: random::uid(self.seed, &format!("imaging study {n}")),
            frame: plan.grid.frame().clone(),
            series,
            organ: Mask::from_values(organ, plan.grid.clone()).expect("one value per voxel of the CT"),
            lesions: of(content.codes.iter().map(lesion_label).collect()),
            zones: of(content.codes.iter().map(zone_label).collect()),
            lesion_rows: self.lesion_rows(n, &scene, &lesion_labels),
            zone_rows: self.zone_rows(&scene, &zone_labels),
        })
    }

    /// Contrast phases of every visit, in order of time.
    fn phases(&self) -> &'static [Phase] {
        match self.story.diagnosis {
            _ if self.extra.coarse => &[Phase::PortalVenous],
            Diagnosis::HepatocellularCarcinoma => {
                &[Phase::Native, Phase::Arterial, Phase::PortalVenous, Phase::Delayed]
            }
            Diagnosis::ColorectalLiverMetastases => &[Phase::Arterial, Phase::PortalVenous],
        }
    }

    fn ct_series(&self, n: usize, phase: Phase, volume: Volume<Hu>) -> Series {
        let description = match phase {
            Phase::Native => "Abdomen native",
            Phase::Arterial => "Abdomen arterial",
            Phase::PortalVenous => "Abdomen portal venous",
            Phase::Delayed => "Abdomen delayed",
        };
        Series {
            modality: Modality::Ct,
            description: description.to_owned(),
            phase: Some(phase),
            slice_thickness_mm: volume.grid().spacing_mm()[2],
            image: Image::Ct(volume),
            series_uid: random::uid(self.seed, &format!("series {n} {phase:?}")),
            number: 2 + phase as u32,
            acquisition: self.clock(n, i64::from(phase.delay_s())),
            pet: None,
        }
    }

    /// Seconds after the injection of contrast medium at visit `n`, as a time of the day.
    pub(crate) fn clock(&self, n: usize, seconds: i64) -> DateTime {
        let (hour, minute) = if self.is_control(n) { (13, 5) } else { (9, 12) };
        let start = self.visits[n].date.at(hour, minute, 40, 0);
        start.checked_add(Span::new().seconds(seconds)).expect("the visit's day lies within a few years of 2017")
    }

    fn lesion_rows(&self, n: usize, scene: &Scene<'_>, labels: &[u16]) -> Vec<LesionRow> {
        let mut rows: Vec<LesionRow> = scene
            .findings
            .iter()
            .zip(labels)
            .map(|(f, label)| {
                let story = &self.lesions[f.lesion].story;
                LesionRow {
                    label: *label,
                    lesion_id: lesion_id(f.lesion),
                    organ: story.organ,
                    kind: story.kind,
                    role: self.role(f.lesion),
                    state: self.state(f.lesion, n),
                }
            })
            .collect();
        rows.sort_by_key(|r| r.label);
        rows
    }

    fn zone_rows(&self, scene: &Scene<'_>, labels: &[u16]) -> Vec<ZoneRow> {
        let mut rows: Vec<ZoneRow> = scene
            .zones
            .iter()
            .zip(labels)
            .map(|(z, label)| {
                let zone = &self.zones[z.zone];
                ZoneRow {
                    label: *label,
                    zone_id: zone_id(z.zone),
                    lesion_id: lesion_id(zone.lesion),
                    session: zone.treatment as u32 + 1,
                }
            })
            .collect();
        rows.sort_by_key(|r| r.label);
        rows
    }
}
