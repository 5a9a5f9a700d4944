//! The truth of a planned patient: sizes, margins, landmarks, expected responses and events.

use nalgebra::{Matrix3, Vector3};

use crate::assess::{MRECIST, RECIST_1_1, Reading, assess};
use crate::follow_up::{lesion_id, zone_id};
use crate::margin::{minimal_margin, minimal_margin_carved};
use crate::plan::{PatientPlan, lps};
use crate::pose::Pose;
use crate::section::measure;
use crate::star::{Star, directions};
use crate::truth::{
    Assessment, CohortTruth, EventCause, EventClass, EventTruth, Expected, Kind, LandmarkPair, LesionTruth,
    MarginTruth, MaskFiles, Organ, PatientTruth, Response, Role, SizeTruth, State, TRUTH_SCHEMA_VERSION,
    TreatmentTruth, VisitTruth, ZoneTruth,
};

/// Short axis below which a node is normal, mm (RECIST 1.1).
const NORMAL_NODE_MM: f64 = 10.0;

/// The truth of a whole cohort, for `truth.json`.
#[must_use]
pub fn cohort_truth(patients: &[PatientPlan]) -> CohortTruth {
    CohortTruth { schema_version: TRUTH_SCHEMA_VERSION, patients: patients.iter().map(PatientPlan::truth).collect() }
}

impl PatientPlan {
    /// Everything that is true of this patient.
    #[must_use]
    pub fn truth(&self) -> PatientTruth {
        let lesions: Vec<Vec<LesionTruth>> = (0..self.visits.len()).map(|n| self.lesion_truths(n)).collect();
        // A control on the day of a treatment is no response time point.
        let judged: Vec<usize> = (0..lesions.len()).filter(|n| !self.is_control(*n)).collect();
        let at_judged: Vec<Vec<LesionTruth>> = judged.iter().map(|n| lesions[*n].clone()).collect();
        let recist = assess(&readings(&at_judged, |s| Some(s.long_axis_mm)), RECIST_1_1);
        let mrecist =
            self.has_arterial_targets().then(|| assess(&readings(&at_judged, |s| s.viable_long_axis_mm), MRECIST));
        let events = self.extra.events.clone().unwrap_or_else(|| self.events(&lesions, &recist));
        let not_evaluable = |why: &str| Assessment::NotEvaluable { not_evaluable: why.to_owned() };
        let of = |rows: Option<&Vec<Expected>>, n: usize, otherwise: &str| {
            let Some(at) = judged.iter().position(|judged| *judged == n) else {
                return not_evaluable("control scan on the day of a treatment: no response time point");
            };
            rows.map_or_else(|| not_evaluable(otherwise), |rows| Assessment::Expected(rows[at].clone()))
        };
        let visits = lesions.into_iter().enumerate().map(|(n, lesions)| {
            let mrecist = of(mrecist.as_ref(), n, "no target enhances in the arterial phase at baseline");
            self.visit_truth(n, lesions, of(Some(&recist), n, ""), mrecist)
        });
        PatientTruth {
            patient_id: self.patient_id.clone(),
            scenario: self.scenario,
            diagnosis: self.story.diagnosis,
            visits: visits.collect(),
            treatments: self.treatment_truths(),
            events,
            death_date: self.death_date,
            last_contact_date: self.last_contact_date,
            lost_to_follow_up: self.story.lost,
            ablated_target: "viable".to_owned(),
        }
    }

    fn visit_truth(&self, n: usize, lesions: Vec<LesionTruth>, recist: Assessment, mrecist: Assessment) -> VisitTruth {
        let plan = &self.visits[n];
        let shape = plan.grid.shape();
        let folder = format!("masks/{}/{}", self.patient_id, self.visit_name(n));
        let landmarks = self.landmarks(n);
        VisitTruth {
            number: n,
            date: plan.date,
            visit: self.visit_name(n),
            study_day: days_between(self.visits[0].date, plan.date),
            frame_of_reference_uid: plan.grid.frame().as_str().to_owned(),
            shape: [shape.ni, shape.nj, shape.nk],
            spacing_mm: plan.grid.spacing_mm(),
            voxel_to_patient_lps: plan.grid.voxel_to_patient().to_rows(),
            masks: MaskFiles {
                lesions: format!("{folder}/lesions.nii.gz"),
                organ: format!("{folder}/organ.nii.gz"),
                ablation_zone: format!("{folder}/ablation_zone.nii.gz"),
            },
            lesions,
            zones: self.zone_truths(n),
            recist_1_1: recist,
            mrecist,
            deformation_beyond_rigid_mm: beyond_rigid_mm(&landmarks),
            landmarks,
        }
    }

    fn lesion_truths(&self, n: usize) -> Vec<LesionTruth> {
        let findings = self.findings(n);
        let labels = self.finding_labels(n, findings.len());
        let with_pet = self.story.mr_and_pet_at == Some(n);
        (0..self.lesions.len())
            .map(|lesion| {
                let plan = &self.lesions[lesion];
                let at = findings.iter().position(|f| f.lesion == lesion);
                LesionTruth {
                    lesion_id: lesion_id(lesion),
                    organ: plan.story.organ,
                    kind: plan.story.kind,
                    role: self.role(lesion),
                    state: self.state(lesion, n),
                    label: at.map(|f| labels[f]),
                    size: at.and_then(|f| {
                        let finding = &findings[f];
                        self.size(n, &finding.outer, finding.core.as_ref(), plan.appearance.has_arterial_enhancement())
                    }),
                    suv: at.filter(|_| with_pet).map(|_| f64::from(plan.appearance.viable().suv)),
                }
            })
            .collect()
    }

    fn size(&self, n: usize, outer: &Star, core: Option<&Star>, enhancing: bool) -> Option<SizeTruth> {
        let plan = &self.visits[n];
        let found = measure(outer, core.filter(|_| enhancing), &plan.pose, &plan.grid)?;
        Some(SizeTruth {
            long_axis_mm: found.long_mm,
            short_axis_mm: found.short_mm,
            viable_long_axis_mm: enhancing.then_some(found.viable_long_mm),
            volume_mm3: volume_mm3(outer, &plan.pose),
            necrotic_volume_mm3: core.map_or(0.0, |c| volume_mm3(c, &plan.pose)),
            slice_k: found.slice_k,
            long_axis_lps: found.long_lps,
            centre_lps: lps(plan.pose.to_visit(outer.centre)),
        })
    }

    fn zone_truths(&self, n: usize) -> Vec<ZoneTruth> {
        let zones = self.zones_at(n);
        let labels = self.zone_labels(n, zones.len());
        let truth = |(z, label): (&crate::scene::ZoneShape, u16)| ZoneTruth {
            zone_id: zone_id(z.zone),
            label,
            lesion_id: lesion_id(self.zones[z.zone].lesion),
            session: self.zones[z.zone].treatment as u32 + 1,
        };
        zones.iter().zip(labels).map(truth).collect()
    }

    fn treatment_truths(&self) -> Vec<TreatmentTruth> {
        let treatments = self.story.treatments.iter().zip(&self.treatment_dates).enumerate();
        treatments
            .map(|(n, (told, date))| TreatmentTruth {
                date: *date,
                session: n as u32 + 1,
                modality: told.modality.to_owned(),
                target_lesions: told.targets.iter().map(|(l, _)| lesion_id(*l)).collect(),
                margins: (0..self.zones.len())
                    .filter(|z| self.zones[*z].treatment == n)
                    .filter_map(|z| self.margin(z))
                    .collect(),
            })
            .collect()
    }

    fn margin(&self, zone: usize) -> Option<MarginTruth> {
        let plan = &self.zones[zone];
        let (pre, post) = (plan.first_visit - 1, plan.first_visit);
        let tumour = self.finding(plan.lesion, pre)?.outer;
        let shape = plan.at_visit(post);
        let min_margin_mm = match self.finding(plan.lesion, post) {
            Some(living) => minimal_margin_carved(&tumour, &shape, &living.outer),
            None => minimal_margin(&tumour, &shape),
        };
        Some(MarginTruth {
            lesion_id: lesion_id(plan.lesion),
            zone_id: zone_id(zone),
            pre_date: self.visits[pre].date,
            post_date: self.visits[post].date,
            min_margin_mm,
        })
    }

    fn landmarks(&self, n: usize) -> Vec<LandmarkPair> {
        let (first, here) = (&self.visits[0].pose, &self.visits[n].pose);
        let treated = |p: &Vector3<f64>| self.zones.iter().any(|z| z.shape.contains(*p));
        let reach: Vec<f64> = self.lesions.iter().map(|l| l.shape.reach_mm() * 1.4).collect();
        let near = |p: &Vector3<f64>| self.lesions.iter().zip(&reach).any(|(l, r)| (l.shape.centre - p).norm() < *r);
        let points = self.anatomy.liver_landmarks().into_iter().filter(|p| !treated(p) && !near(p));
        points
            .map(|p| LandmarkPair { baseline_lps: lps(first.to_visit(p)), visit_lps: lps(here.to_visit(p)) })
            .collect()
    }

    /// Local progression, new lesions, progression of known ones under systemic treatment, death: as the story has them.
    fn events(&self, lesions: &[Vec<LesionTruth>], recist: &[Expected]) -> Vec<EventTruth> {
        let mut events = Vec::new();
        for (n, visit) in lesions.iter().enumerate() {
            let date = self.visits[n].date;
            for (lesion, l) in visit.iter().enumerate() {
                let before = (n > 0).then(|| lesions[n - 1][lesion].state);
                let appears = l.role == Role::New && l.state == State::Present && before == Some(State::NotYet);
                let class = match (l.state, l.organ) {
                    (State::LocalProgression, _) if before == Some(State::LocalProgression) => continue,
                    (State::LocalProgression, _) => EventClass::Local,
                    (_, Organ::Liver) if appears => EventClass::DistantIntrahepatic,
                    _ if appears => EventClass::Extrahepatic,
                    _ => continue,
                };
                let lesion_id = Some(l.lesion_id.clone());
                events.push(EventTruth { date, class, cause: EventCause::New, lesion_id });
            }
        }
        let grown = recist.iter().position(|e| e.target == Some(Response::Progressive));
        if let Some(n) = grown.filter(|_| self.zones.is_empty()) {
            events.push(EventTruth {
                date: self.visits[n].date,
                class: EventClass::DistantIntrahepatic,
                cause: EventCause::GrowthOfKnownUntreated,
                lesion_id: most_grown(&lesions[n - 1], &lesions[n]),
            });
        }
        if let Some(date) = self.death_date {
            events.push(EventTruth { date, class: EventClass::Death, cause: EventCause::Death, lesion_id: None });
        }
        events
    }
}

fn days_between(from: jiff::civil::Date, to: jiff::civil::Date) -> i32 {
    from.until(to).map_or(0, |span| span.get_days())
}

/// The readings that the criteria need; `diameter` picks the diameter of a lesion that is no node.
fn readings(lesions: &[Vec<LesionTruth>], diameter: impl Fn(&SizeTruth) -> Option<f64>) -> Vec<Reading> {
    let value = |l: &LesionTruth| match (&l.size, l.kind) {
        (None, _) => 0.0,
        (Some(size), Kind::Node) => size.short_axis_mm,
        (Some(size), Kind::Lesion) => diameter(size).unwrap_or(0.0),
    };
    let reading = |visit: &Vec<LesionTruth>| {
        let of = |role: Role| visit.iter().filter(move |l| l.role == role);
        let gone = |l: &LesionTruth| value(l) == 0.0 || l.kind == Kind::Node && value(l) < NORMAL_NODE_MM;
        Reading {
            targets_mm: of(Role::Target).map(value).collect(),
            targets_gone: of(Role::Target).map(gone).collect(),
            non_targets_there: of(Role::NonTarget).map(|l| l.state.is_visible()).collect(),
            new_lesion: of(Role::New).any(|l| l.state.is_visible()),
        }
    };
    lesions.iter().map(reading).collect()
}

fn most_grown(before: &[LesionTruth], after: &[LesionTruth]) -> Option<String> {
    let long = |l: &LesionTruth| l.size.as_ref().map_or(0.0, |s| s.long_axis_mm);
    let growth = |(a, b): &(&LesionTruth, &LesionTruth)| long(b) - long(a);
    let most = before.iter().zip(after).max_by(|x, y| growth(x).total_cmp(&growth(y)));
    most.map(|(_, l)| l.lesion_id.clone())
}

/// Volume of a solid at a visit, mm³: its own times the mean enlargement of the pose over the solid.
fn volume_mm3(star: &Star, pose: &Pose) -> f64 {
    const SAMPLES: usize = 120;
    let (mut weight, mut sum) = (0.0, 0.0);
    for (n, d) in directions(SAMPLES).enumerate() {
        // Radii spread like r² dr: equal volumes for equal steps of n·φ modulo 1.
        let t = ((n as f64 * 0.618_033_988_749_895).fract() + 0.5 / SAMPLES as f64).cbrt();
        let r = star.radius(d);
        weight += r.powi(3);
        sum += r.powi(3) * pose.enlargement(star.centre + d * (r * t));
    }
    star.volume_mm3() * sum / weight
}

/// Largest distance left after the best rigid motion of the landmarks (Arun, Huang and Blostein 1987), mm.
fn beyond_rigid_mm(pairs: &[LandmarkPair]) -> f64 {
    let n = pairs.len().max(1) as f64;
    let from: Vec<Vector3<f64>> = pairs.iter().map(|p| p.baseline_lps.into()).collect();
    let to: Vec<Vector3<f64>> = pairs.iter().map(|p| p.visit_lps.into()).collect();
    let (a, b) = (from.iter().sum::<Vector3<f64>>() / n, to.iter().sum::<Vector3<f64>>() / n);
    let covariance: Matrix3<f64> = from.iter().zip(&to).map(|(p, q)| (p - a) * (q - b).transpose()).sum();
    let svd = covariance.svd(true, true);
    let (Some(u), Some(v_t)) = (svd.u, svd.v_t) else { return 0.0 };
    let sign = (v_t.transpose() * u.transpose()).determinant().signum();
    let rotation = v_t.transpose() * Matrix3::from_diagonal(&Vector3::new(1.0, 1.0, sign)) * u.transpose();
    from.iter().zip(&to).map(|(p, q)| (rotation * (p - a) + b - q).norm()).fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pose::Motion;
    use crate::random;
    use crate::star::StarDraw;

    #[test]
    fn volume_in_a_strongly_deformed_visit_agrees_with_counting_points() {
        for seed in 0..2 {
            let pose = Pose::random(&mut random::stream(seed, "pose"), Motion::Large);
            let draw =
                StarDraw { centre: Vector3::new(-60.0, 0.0, 12.0), radius_mm: 12.0, elongation: 0.2, bumpiness: 0.04 };
            let star = Star::random(&mut random::stream(seed, "shape"), &draw);
            let middle = pose.to_visit(star.centre);
            let step = 0.8;
            let n = 32_i64;
            let line = || -n..=n;
            let points = line().flat_map(|i| {
                line().flat_map(move |j| line().map(move |k| Vector3::new(i as f64, j as f64, k as f64)))
            });
            let counted =
                points.filter(|p| star.contains(pose.to_reference(middle + p * step))).count() as f64 * step.powi(3);
            let ratio = volume_mm3(&star, &pose) / counted;
            assert!((ratio - 1.0).abs() < 0.006, "seed {seed}: {ratio}");
        }
    }

    #[test]
    fn a_rigid_motion_leaves_nothing() {
        let pose = Pose::random(&mut random::stream(1, "pose"), Motion::Ordinary);
        let pairs: Vec<LandmarkPair> = directions(30)
            .map(|d| {
                let q = nalgebra::Rotation3::from_euler_angles(0.1, -0.2, 0.3) * (d * 40.0) + pose.middle();
                LandmarkPair { baseline_lps: lps(d * 40.0), visit_lps: lps(q) }
            })
            .collect();
        assert!(beyond_rigid_mm(&pairs) < 1e-9);
    }
}
