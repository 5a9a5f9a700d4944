//! The stories a synthetic patient can tell: which lesions appear when, how they change, and what is done about them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::pose::Motion;
use crate::truth::{Kind, Organ};

/// A named course of disease and treatment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scenario {
    /// Two tumours ablated with a margin of 7–9 mm; lasting control.
    CompleteAblation,
    /// Margin about 1.5 mm, complete at first; a focus at the zone's edge at the third control, ablated again.
    LocalProgression,
    /// Ablation holds; a new tumour elsewhere in the liver at the third control.
    DistantIntrahepatic,
    /// Ablation holds; a new lung nodule at the third control; death.
    ExtrahepaticLung,
    /// Ablation holds; a new retroperitoneal node at the third control.
    ExtrahepaticNode,
    /// Partial, then complete response to systemic treatment.
    Response,
    /// Stable under systemic treatment, then progression by the sum of diameters, then lost to follow-up.
    StableThenProgression,
    /// Ablation holds; death without progression.
    Death,
    /// Ablation holds; no contact after the last visit.
    LostToFollowUp,
    /// Margin −1 mm, residual tumour at the first control, ablated again, complete.
    RepeatTreatment,
    /// One of three tumours ablated; after baseline the liver is deformed by up to 15 mm.
    LargeDeformation,
    /// A patient of a study's cohort: the course is drawn, not told here.
    Study,
    /// One of two tumours ablated between a planning and a control scan of one day; ablation holds, the other one shrinks.
    PlanningAndControl,
    /// FDG-avid metastases under systemic treatment, a PET at every visit: uptake falls by half, goes, and comes back, while the
    /// sizes hardly change.
    MetabolicResponse,
}

/// A scenario's name that is none.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("there is no scenario `{found}`; expected one of {}", Scenario::ALL.map(Scenario::name).join(", "))]
pub struct UnknownScenario {
    /// The name given.
    pub found: String,
}

impl Scenario {
    /// All scenarios.
    pub const ALL: [Self; 13] = [
        Self::CompleteAblation,
        Self::LocalProgression,
        Self::DistantIntrahepatic,
        Self::ExtrahepaticLung,
        Self::ExtrahepaticNode,
        Self::Response,
        Self::StableThenProgression,
        Self::Death,
        Self::LostToFollowUp,
        Self::RepeatTreatment,
        Self::LargeDeformation,
        Self::PlanningAndControl,
        Self::MetabolicResponse,
    ];
    /// The six of the demonstration cohort, in its order.
    pub const DEMO: [Self; 6] = [
        Self::CompleteAblation,
        Self::LocalProgression,
        Self::DistantIntrahepatic,
        Self::ExtrahepaticLung,
        Self::Response,
        Self::StableThenProgression,
    ];

    /// The name used on the command line and in files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::CompleteAblation => "complete_ablation",
            Self::LocalProgression => "local_progression",
            Self::DistantIntrahepatic => "distant_intrahepatic",
            Self::ExtrahepaticLung => "extrahepatic_lung",
            Self::ExtrahepaticNode => "extrahepatic_node",
            Self::Response => "response",
            Self::StableThenProgression => "stable_then_progression",
            Self::Death => "death",
            Self::LostToFollowUp => "lost_to_follow_up",
            Self::RepeatTreatment => "repeat_treatment",
            Self::LargeDeformation => "large_deformation",
            Self::Study => "study",
            Self::PlanningAndControl => "planning_and_control",
            Self::MetabolicResponse => "metabolic_response",
        }
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Scenario {
    type Err = UnknownScenario;
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|s| s.name() == name).ok_or_else(|| UnknownScenario { found: name.to_owned() })
    }
}

/// What the liver tumours are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Diagnosis {
    /// Hypervascular tumours with washout and necrotic cores.
    HepatocellularCarcinoma,
    /// Hypovascular tumours.
    ColorectalLiverMetastases,
}

/// A lesion of a story.
#[derive(Debug, Clone)]
pub(crate) struct LesionStory {
    pub(crate) organ: Organ,
    pub(crate) kind: Kind,
    /// Mean diameter at scale 1, mm.
    pub(crate) diameter_mm: f64,
    /// Diameter relative to `diameter_mm` at each visit; 0 where it is not there. After ablation it no longer counts.
    pub(crate) scale: Vec<f64>,
    /// Its middle in the reference anatomy, LPS mm, where the story fixes it.
    pub(crate) centre: Option<[f64; 3]>,
}

/// How well a zone covers its tumour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coverage {
    /// Minimal margin 7–9 mm.
    Adequate,
    /// 1–2 mm.
    Narrow,
    /// About −1 mm.
    Missed,
    /// The treatment leaves no zone: the tumour stays as it is seen.
    NoZone,
}

/// A treatment of a story.
#[derive(Debug, Clone)]
pub(crate) struct TreatmentStory {
    /// The last visit before it.
    pub(crate) after_visit: usize,
    /// As in `treatments.csv`.
    pub(crate) modality: &'static str,
    /// Ablated lesions and how well; none for systemic treatment.
    pub(crate) targets: Vec<(usize, Coverage)>,
}

/// Living tissue at the edge of a zone.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FocusStory {
    pub(crate) lesion: usize,
    /// The first visit that shows it; it stays until it is ablated.
    pub(crate) visit: usize,
    pub(crate) diameter_mm: f64,
}

/// A whole story.
#[derive(Debug, Clone)]
pub(crate) struct Story {
    pub(crate) diagnosis: Diagnosis,
    pub(crate) n_visits: usize,
    pub(crate) lesions: Vec<LesionStory>,
    pub(crate) treatments: Vec<TreatmentStory>,
    pub(crate) focus: Option<FocusStory>,
    pub(crate) dies: bool,
    pub(crate) lost: bool,
    pub(crate) motion: Motion,
    /// Whether the first two visits are the planning and the control scan of the first treatment's day.
    pub(crate) control_on_day: bool,
    /// The visit with MR and PET beside the CT.
    pub(crate) mr_and_pet_at: Option<usize>,
    /// Uptake of the lesions at each visit relative to what is theirs; a PET at as many visits, at none where empty.
    pub(crate) uptake: &'static [f32],
}

impl Story {
    /// The story of a scenario.
    pub(crate) fn of(scenario: Scenario) -> Self {
        use Scenario as S;
        let quiet = ablation_that_holds(5);
        match scenario {
            S::CompleteAblation => two_ablated(),
            S::LocalProgression => local_progression(),
            S::DistantIntrahepatic => with_new(quiet, Organ::Liver, Kind::Lesion, 18.0),
            S::ExtrahepaticLung => {
                Self { dies: true, mr_and_pet_at: Some(3), ..with_new(quiet, Organ::Lung, Kind::Lesion, 16.0) }
            }
            S::ExtrahepaticNode => with_new(quiet, Organ::LymphNode, Kind::Node, 21.0),
            S::Response => systemic(
                Diagnosis::HepatocellularCarcinoma,
                &[&[1.0, 0.55, 0.42, 0.0, 0.0], &[1.0, 0.53, 0.40, 0.0, 0.0], &[1.0, 0.8, 0.6, 0.0, 0.0]],
            ),
            S::StableThenProgression => Self {
                lost: true,
                ..systemic(
                    Diagnosis::ColorectalLiverMetastases,
                    &[&[1.0, 0.93, 0.90, 0.97, 1.34], &[1.0, 0.92, 0.88, 0.95, 1.30], &[1.0, 1.0, 0.98, 1.0, 1.02]],
                )
            },
            S::Study => quiet,
            S::Death => Self { dies: true, ..ablation_that_holds(4) },
            S::LostToFollowUp => Self { lost: true, ..ablation_that_holds(4) },
            S::RepeatTreatment => repeat_treatment(),
            S::LargeDeformation => large_deformation(),
            S::PlanningAndControl => planning_and_control(),
            S::MetabolicResponse => metabolic_response(),
        }
    }
}

impl Story {
    /// A course that was drawn for a study's cohort.
    pub(crate) fn of_study(
        diagnosis: Diagnosis,
        n_visits: usize,
        lesions: Vec<LesionStory>,
        treatments: Vec<TreatmentStory>,
        focus: Option<FocusStory>,
    ) -> Self {
        Self { diagnosis, lesions, treatments, focus, ..ablation_that_holds(n_visits) }
    }
}

fn liver_lesion(diameter_mm: f64, scale: Vec<f64>) -> LesionStory {
    LesionStory { organ: Organ::Liver, kind: Kind::Lesion, diameter_mm, scale, centre: None }
}

fn ablation(after_visit: usize, modality: &'static str, targets: &[(usize, Coverage)]) -> TreatmentStory {
    TreatmentStory { after_visit, modality, targets: targets.to_vec() }
}

fn ablation_that_holds(n_visits: usize) -> Story {
    Story {
        diagnosis: Diagnosis::ColorectalLiverMetastases,
        n_visits,
        lesions: vec![liver_lesion(22.0, vec![1.0; n_visits])],
        treatments: vec![ablation(0, "MWA", &[(0, Coverage::Adequate)])],
        focus: None,
        dies: false,
        lost: false,
        motion: Motion::Ordinary,
        control_on_day: false,
        mr_and_pet_at: None,
        uptake: &[],
    }
}

fn with_new(story: Story, organ: Organ, kind: Kind, diameter_mm: f64) -> Story {
    let mut lesions = story.lesions;
    lesions.push(LesionStory { organ, kind, diameter_mm, scale: vec![0.0, 0.0, 0.0, 1.0, 1.35], centre: None });
    Story { lesions, ..story }
}

fn two_ablated() -> Story {
    Story {
        diagnosis: Diagnosis::HepatocellularCarcinoma,
        lesions: vec![liver_lesion(24.0, vec![1.0; 5]), liver_lesion(18.0, vec![1.0; 5])],
        treatments: vec![ablation(0, "MWA", &[(0, Coverage::Adequate), (1, Coverage::Adequate)])],
        ..ablation_that_holds(5)
    }
}

fn local_progression() -> Story {
    Story {
        diagnosis: Diagnosis::HepatocellularCarcinoma,
        lesions: vec![liver_lesion(26.0, vec![1.0; 6])],
        treatments: vec![ablation(0, "RFA", &[(0, Coverage::Narrow)]), ablation(3, "MWA", &[(0, Coverage::Adequate)])],
        focus: Some(FocusStory { lesion: 0, visit: 3, diameter_mm: 14.0 }),
        ..ablation_that_holds(6)
    }
}

fn repeat_treatment() -> Story {
    Story {
        diagnosis: Diagnosis::HepatocellularCarcinoma,
        lesions: vec![liver_lesion(30.0, vec![1.0; 5])],
        treatments: vec![ablation(0, "IRE", &[(0, Coverage::Missed)]), ablation(1, "MWA", &[(0, Coverage::Adequate)])],
        focus: Some(FocusStory { lesion: 0, visit: 1, diameter_mm: 13.0 }),
        ..ablation_that_holds(5)
    }
}

fn large_deformation() -> Story {
    Story {
        diagnosis: Diagnosis::HepatocellularCarcinoma,
        lesions: vec![
            liver_lesion(24.0, vec![1.0; 4]),
            liver_lesion(22.5, vec![1.0; 4]),
            liver_lesion(16.0, vec![1.0; 4]),
        ],
        motion: Motion::Large,
        treatments: vec![ablation(0, "MWA", &[(0, Coverage::Adequate)])],
        ..ablation_that_holds(4)
    }
}

fn planning_and_control() -> Story {
    Story {
        lesions: vec![liver_lesion(24.0, vec![1.0; 4]), liver_lesion(20.0, vec![1.0, 1.0, 0.5, 0.4])],
        control_on_day: true,
        ..ablation_that_holds(4)
    }
}

fn metabolic_response() -> Story {
    let sizes = [1.0, 0.97, 0.95, 0.96];
    Story {
        uptake: &[1.0, 0.5, 0.15, 1.8],
        n_visits: sizes.len(),
        ..systemic(Diagnosis::ColorectalLiverMetastases, &[&sizes; 3])
    }
}

fn systemic(diagnosis: Diagnosis, scales: &[&[f64]; 3]) -> Story {
    let diameters = [30.0, 23.5, 17.0];
    Story {
        diagnosis,
        lesions: diameters.into_iter().zip(scales).map(|(d, s)| liver_lesion(d, s.to_vec())).collect(),
        treatments: vec![ablation(0, "systemic", &[])],
        ..ablation_that_holds(5)
    }
}
