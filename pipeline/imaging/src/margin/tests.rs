use super::distribution::MarginBin;
use super::verdict::{
    Evidence, MEASUREMENT_SIGMA_MM, Reason, RegistrationEvidence, TechnicalSuccess, Verdict, judge, measurement_sigma,
};
use super::*;
use crate::Vector;
use crate::surface::tests::{OFF_GRID, ball};

const CASES: &str = include_str!("../../../../test_data/criteria/margin.json");

fn direction() -> Vector<Patient> {
    let v = Vector::new(0.5, -0.7, 0.6);
    v * (1.0 / v.norm())
}

/// Ball of radius r in a ball of radius R whose centre lies `offset_mm` away.
fn margin_of(r: f64, big_r: f64, offset_mm: f64, spacing: [f64; 3]) -> AblationMargin {
    let tumour = ball(r, OFF_GRID, spacing, r + 12.0);
    let ablation = ball(big_r, OFF_GRID + direction() * offset_mm, spacing, big_r + offset_mm + 8.3);
    ablation_margin(&MarginInput {
        tumour: &tumour,
        ablation: &ablation,
        ablation_to_tumour: None,
        organ: None,
        capsule_exclusion: CAPSULE_EXCLUSION,
    })
    .unwrap()
}

#[test]
fn worked_cases_of_balls() {
    let cases: Vec<serde_json::Value> = serde_json::from_str(CASES).unwrap();
    let mut n_run = 0;
    for case in cases.iter().filter(|c| c["input"]["tumour_radius_mm"].is_number()) {
        n_run += 1;
        let input = |key: &str| case["input"][key].as_f64().unwrap();
        let got =
            margin_of(input("tumour_radius_mm"), input("ablation_radius_mm"), input("offset_mm"), [0.8, 0.8, 1.0]);
        let d = got.distribution.as_ref().unwrap();
        let f = d.fractions();
        let skipped = |key: &str| case["not_tested"].as_array().is_some_and(|l| l.iter().any(|v| v == key));
        let near = |key: &str, value: f64, tolerance: f64| {
            let want = case["expected"][key].as_f64().unwrap();
            assert!(skipped(key) || (value - want).abs() <= tolerance, "{} {key}: {value} {want}", case["id"]);
        };
        near("mam_mm", d.min().0, 0.6);
        near("max_margin_mm", d.max().0, 0.6);
        near("tumour_volume_coverage", got.tumour_coverage, 0.01);
        near("frac_lt0", f.lt0, 0.03);
        near("frac_0_5", f.from_0_to_5, 0.03);
        near("frac_5_10", f.from_5_to_10, 0.03);
        near("frac_ge10", f.ge10, 0.03);
        for (key, rule) in [
            ("technical_success_gt5mm", TechnicalSuccess::MoreThan(Mm(5.0))),
            ("technical_success_ge5mm", TechnicalSuccess::AtLeast(Mm(5.0))),
            ("complete_coverage", TechnicalSuccess::CompleteCoverage),
        ] {
            let want = case["expected"][key].as_bool().unwrap();
            assert!(skipped(key) || rule.is_met(d.min()) == want, "{} {key}", case["id"]);
        }
    }
    assert_eq!(n_run, 3);
}

#[test]
fn worked_case_of_exact_margins() {
    let cases: Vec<serde_json::Value> = serde_json::from_str(CASES).unwrap();
    let case = cases.iter().find(|c| c["input"]["level"] == "function").unwrap();
    for (n, margin) in case["input"]["mam_mm"].as_array().unwrap().iter().enumerate() {
        let margin = Mm(margin.as_f64().unwrap());
        let expected = &case["expected"];
        assert_eq!(MarginBin::of(margin).label(), expected["bin"][n].as_str().unwrap());
        let met = |rule: TechnicalSuccess| Some(rule.is_met(margin));
        assert_eq!(met(TechnicalSuccess::MoreThan(Mm(5.0))), expected["technical_success_gt5mm"][n].as_bool());
        assert_eq!(met(TechnicalSuccess::AtLeast(Mm(5.0))), expected["technical_success_ge5mm"][n].as_bool());
        assert_eq!(met(TechnicalSuccess::CompleteCoverage), expected["complete_coverage"][n].as_bool());
    }
}

#[test]
fn an_uncovered_tumour_has_a_negative_margin_and_a_residual() {
    let got = margin_of(8.0, 10.0, 6.0, [0.8, 0.8, 1.0]);
    let d = got.distribution.as_ref().unwrap();
    assert!((d.min().0 + 4.0).abs() < 0.6 && (d.max().0 - 8.0).abs() < 0.6, "{} {}", d.min(), d.max());
    assert!(d.fractions().lt0 > 0.2 && got.tumour_coverage < 0.95 && got.residual_volume.0 > 100.0);
    assert!(got.excluded_capsule_fraction.is_none());
}

#[test]
fn shells_of_concentric_balls() {
    // R = r + 5 covers all of the 5 mm shell and (13³ − 8³) / (18³ − 8³) of the 10 mm shell.
    let got = margin_of(8.0, 13.0, 0.0, [0.8, 0.8, 1.0]);
    assert!(got.coverage_of_5mm_shell.unwrap() > 0.97, "{:?}", got.coverage_of_5mm_shell);
    let want = (13.0_f64.powi(3) - 512.0) / (18.0_f64.powi(3) - 512.0);
    assert!((got.coverage_of_10mm_shell.unwrap() - want).abs() < 0.02, "{:?} {want}", got.coverage_of_10mm_shell);
}

#[test]
fn the_part_of_the_zone_on_the_capsule_does_not_shrink_the_margin() {
    let spacing = [0.8, 0.8, 1.0];
    let tumour = ball(8.0, OFF_GRID, spacing, 22.0);
    // A large organ whose capsule passes 7 mm from the tumour; the zone of radius 18 ends there.
    let organ_centre = OFF_GRID + direction() * -45.0;
    let organ = Mask::from_fn(ball(1.0, OFF_GRID, spacing, 40.0).grid().clone(), |_| true);
    let organ = Mask::from_fn(organ.grid().clone(), |at| organ.grid().center(at).distance(organ_centre) <= 60.0);
    let zone = ball(18.0, OFF_GRID, spacing, 26.0);
    let zone =
        Mask::from_fn(zone.grid().clone(), |at| *zone.at(at) && zone.grid().center(at).distance(organ_centre) <= 60.0);
    let run = |organ| {
        ablation_margin(&MarginInput {
            tumour: &tumour,
            ablation: &zone,
            ablation_to_tumour: None,
            organ,
            capsule_exclusion: CAPSULE_EXCLUSION,
        })
        .unwrap()
    };
    let (with, without) = (run(Some(&organ)), run(None));
    let min = |m: &AblationMargin| m.distribution.as_ref().unwrap().min().0;
    assert!((min(&without) - 7.0).abs() < 0.6, "{}", min(&without));
    assert!(min(&with) > 9.0, "{}", min(&with));
    assert_eq!(with.excluded_capsule_fraction, Some(0.0), "7 mm is beyond the 5 mm exclusion");
    let close = ablation_margin(&MarginInput {
        tumour: &tumour,
        ablation: &zone,
        ablation_to_tumour: None,
        organ: Some(&organ),
        capsule_exclusion: Mm(10.0),
    })
    .unwrap();
    let share = close.excluded_capsule_fraction.unwrap();
    assert!(share > 0.1 && share < 0.35, "{share}");
}

#[test]
fn other_frames_and_empty_masks_are_refused() {
    let tumour = ball(8.0, OFF_GRID, [1.0; 3], 12.0);
    let elsewhere = tumour.clone().with_grid(tumour.grid().clone().with_frame(FrameId::new("follow-up"))).unwrap();
    let input = |ablation| MarginInput {
        tumour: &tumour,
        ablation,
        ablation_to_tumour: None,
        organ: None,
        capsule_exclusion: CAPSULE_EXCLUSION,
    };
    assert!(matches!(ablation_margin(&input(&elsewhere)), Err(MarginError::OtherFrame { other: "ablation", .. })));
    let empty = Mask::filled(tumour.grid().clone(), false);
    assert!(matches!(ablation_margin(&input(&empty)), Err(MarginError::Surface { which: "ablation", .. })));
}

#[test]
fn verdicts() {
    let margin = margin_of(8.0, 16.0, 0.0, [0.8, 0.8, 1.0]);
    let evidence =
        |threshold, registration| Evidence { threshold: Mm(threshold), registration, measurement_sigma: Some(Mm(0.3)) };
    let verdict = |threshold, sigma| judge(&margin, &evidence(threshold, RegistrationEvidence::Sigma(Mm(sigma))));
    assert_eq!(verdict(5.0, 0.5).verdict, Verdict::Adequate);
    assert_eq!(verdict(5.0, 2.0).verdict, Verdict::Borderline);
    assert_eq!(verdict(10.0, 0.5).verdict, Verdict::Inadequate);
    let [low, high] = verdict(5.0, 0.4).interval.unwrap();
    assert!((high.0 - low.0 - 2.0 * 1.959_963_984_540_054 * 0.5).abs() < 1e-12);
    let unknown = judge(&margin, &evidence(5.0, RegistrationEvidence::Unknown));
    assert_eq!((unknown.verdict, unknown.interval), (Verdict::NotReportable, None));
    assert_eq!(unknown.reasons, vec![Reason::RegistrationErrorUnknown, Reason::NoOrganMask]);
    assert!(measurement_sigma(Mm(2.5), SurfaceMethod::Blurred) > measurement_sigma(Mm(2.5), SurfaceMethod::SubVoxel));
    let blurred = AblationMargin { method: SurfaceMethod::Blurred, ..margin.clone() };
    let doubted = judge(&blurred, &evidence(5.0, RegistrationEvidence::Sigma(Mm(0.5))));
    assert_eq!((doubted.verdict, doubted.reasons[0]), (Verdict::Adequate, Reason::Blurred));
    let mut cut = margin.clone();
    (cut.ablation_cut, cut.excluded_capsule_fraction) = (true, Some(0.6));
    let withheld = judge(&cut, &evidence(5.0, RegistrationEvidence::Sigma(Mm(0.5))));
    assert_eq!(withheld.verdict, Verdict::NotReportable);
    assert_eq!(withheld.reasons, vec![Reason::MostlySubcapsular(0.6), Reason::AblationCut]);
    assert_eq!(measurement_sigma(Mm(7.0), SurfaceMethod::SubVoxel), None);
    assert_eq!(measurement_sigma(Mm(0.5), SurfaceMethod::SubVoxel), Some(Mm(MEASUREMENT_SIGMA_MM[0].1)));
}

#[test]
fn the_map_is_thinnest_where_the_zone_was_missed() {
    // The zone lies 3 mm off towards `direction()`: the tumour is thinnest covered on the other side.
    let got = margin_of(10.0, 16.0, 3.0, [0.8, 0.8, 1.0]);
    let map = got.map.unwrap();
    let thinnest = map.thinnest;
    let away = direction().to_array();
    let cosine: f64 = -(0..3).map(|axis| thinnest[axis] * away[axis]).sum::<f64>();
    assert!(cosine > 25_f64.to_radians().cos(), "{thinnest:?} against {away:?}");
    let least = map.smallest.iter().flatten().map(|m| m.0).fold(f64::INFINITY, f64::min);
    assert_eq!(least, got.distribution.unwrap().min().0);
    assert!(map.smallest.iter().all(Option::is_some), "without an organ nothing is left out");
}

#[test]
fn of_an_organ_only_what_lies_near_is_looked_at_and_nothing_changes() {
    let organ = ball(60.0, OFF_GRID, [1.0, 0.9, 2.5], 70.0);
    let at = OFF_GRID + direction() * 46.0;
    let (tumour, zone) = (ball(9.0, at, [0.8, 0.8, 1.5], 60.0), ball(15.0, at, [0.8, 0.8, 1.5], 68.0));
    let surfaces = [&tumour, &zone].map(|mask| Surface::of_mask(mask, Refinement::SubVoxel(Mm(1.0))).unwrap());
    let near = [surfaces[0].triangles(), surfaces[1].triangles()];
    let part = around(&organ, near, OUTER_SHELL).unwrap();
    assert!(part.values().len() * 3 < organ.values().len(), "{} of {}", part.values().len(), organ.values().len());
    let of_part = Organ::new(&organ, near, (CAPSULE_EXCLUSION, Mm(2.5))).unwrap();
    let whole = Organ::whole(&organ, CAPSULE_EXCLUSION).unwrap();
    let mut n_near = 0;
    for corner in near.iter().flat_map(|surface| surface.iter().flatten()) {
        n_near += usize::from(whole.is_near_capsule(*corner, CAPSULE_EXCLUSION.0));
        assert_eq!(of_part.surface.contains(*corner), whole.surface.contains(*corner), "{corner:?}");
        let distances = [&of_part, &whole].map(|organ| organ.capsule.as_ref().unwrap().distance_within(*corner, 10.0));
        match distances {
            [Some(a), Some(b)] => assert!((a - b).abs() < 1e-9, "{a} {b}"),
            other => assert_eq!(other, [None, None], "{corner:?}"),
        }
    }
    assert!(n_near > 100, "{n_near} corners near the capsule");
    // Far from the organ there is nothing of it to cut out: it is taken whole.
    let far = [ball(5.0, OFF_GRID + direction() * 80.0, [1.5; 3], 90.0)];
    let far = Surface::of_mask(&far[0], Refinement::OwnGrid).unwrap();
    let organ = Organ::new(&organ, [far.triangles(), &[]], (CAPSULE_EXCLUSION, Mm(2.5))).unwrap();
    assert!(far.triangles().iter().flatten().all(|p| organ.is_subcapsular(*p)));
}

#[test]
fn success_wants_the_tumour_covered_and_not_only_its_surface() {
    let tumour = ball(10.0, OFF_GRID, [1.0; 3], 20.0);
    let of = |ablation: &Mask| {
        let margin = ablation_margin(&MarginInput {
            tumour: &tumour,
            ablation,
            ablation_to_tumour: None,
            organ: None,
            capsule_exclusion: CAPSULE_EXCLUSION,
        })
        .unwrap();
        let evidence = Evidence {
            threshold: Mm(5.0),
            registration: RegistrationEvidence::Sigma(Mm(0.0)),
            measurement_sigma: measurement_sigma(margin.resolution, margin.method),
        };
        let is_hollow = |reason: &Reason| matches!(reason, Reason::HollowZone(_));
        let verdict = judge(&margin, &evidence);
        let hollow = verdict.reasons.iter().any(is_hollow);
        (TechnicalSuccess::CompleteCoverage.is_reached(&margin), verdict.verdict, hollow)
    };
    let zone = ball(16.0, OFF_GRID, [1.0; 3], 20.0);
    assert_eq!(of(&zone), (Some(true), Verdict::Adequate, false));
    assert_eq!(of(&tumour), (Some(true), Verdict::Inadequate, false), "no margin, and yet all of it covered");
    assert_eq!(of(&ball(9.0, OFF_GRID, [1.0; 3], 20.0)), (Some(false), Verdict::Inadequate, false));
    // Labels that exclude each other leave a hole where the tumour was.
    let without = |inner: &Mask| {
        let values = zone.values().iter().zip(inner.values()).map(|(zone, hole)| *zone && !hole).collect();
        Mask::from_values(values, zone.grid().clone()).unwrap()
    };
    assert_eq!(of(&without(&tumour)), (Some(false), Verdict::NotReportable, true));
    assert_eq!(of(&without(&ball(5.0, OFF_GRID, [1.0; 3], 20.0))), (Some(false), Verdict::NotReportable, true));
}

#[test]
fn the_thinnest_place_and_what_is_left_lie_where_the_zone_is_not() {
    // The zone's centre lies 9 mm off: on the far side the tumour is left over.
    let off = margin_of(10.0, 13.0, 9.0, [0.8, 0.8, 1.0]);
    let along = |found: Option<[f64; 3]>| {
        let v = Vector::new(found.unwrap()[0], found.unwrap()[1], found.unwrap()[2]);
        v.dot(direction())
    };
    assert!(along(off.residual_direction) < -0.99 && along(off.thinnest_direction()) < -0.95, "{off:?}");
    // Balls of radii 10 and 13 at distance 9: what lies outside is a lens turned away, whose volume is known.
    let (r, big, d) = (10.0_f64, 13.0_f64, 9.0_f64);
    let common = std::f64::consts::PI * (big + r - d).powi(2) * (d * d + 2.0 * d * (r + big) - 3.0 * (big - r).powi(2))
        / (12.0 * d);
    let left = 4.0 / 3.0 * std::f64::consts::PI * r.powi(3) - common;
    assert!((off.residual_volume.0 / left - 1.0).abs() < 0.05, "{} of {left}", off.residual_volume);
    assert!(((1.0 - off.tumour_coverage) * 4.0 / 3.0 * std::f64::consts::PI * 1000.0 / left - 1.0).abs() < 0.05);
}

#[test]
fn what_lies_all_around_has_no_direction() {
    let shell = margin_of(10.0, 8.0, 0.0, [0.8, 0.8, 1.0]);
    assert!(shell.tumour_coverage < 0.6 && shell.residual_direction.is_none(), "{:?}", shell.residual_direction);
    let concentric = margin_of(10.0, 16.0, 0.0, [0.8, 0.8, 1.0]);
    assert!(concentric.thinnest_direction().is_none() && concentric.residual_direction.is_none());
    assert!(margin_of(10.0, 16.0, 1.5, [0.8, 0.8, 1.0]).thinnest_direction().is_some());
}
