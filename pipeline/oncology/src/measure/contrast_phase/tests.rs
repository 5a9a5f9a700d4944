use super::ContrastPhase::{Arterial, Delayed, Native, PortalVenous};
use super::*;

/// A reading of what is given; kidneys as cortex, medulla, excreted ml.
fn reading(aorta: f64, liver: Option<f64>, kidneys: Option<[f64; 3]>, vein: Option<f64>) -> PhaseReading {
    let of = |[cortex_hu, medulla_hu, excreted_ml]: [f64; 3]| KidneyReading { cortex_hu, medulla_hu, excreted_ml };
    let untold = || Evaluable::not("not looked for");
    PhaseReading::of(Organs {
        aorta_hu: Evaluable::Value(aorta),
        liver_hu: liver,
        kidneys: kidneys.map_or_else(untold, |k| Evaluable::Value(of(k))),
        portal_vein_hu: vein.map_or_else(|| Evaluable::not("not looked for"), Evaluable::Value),
    })
}

#[test]
fn the_usual_numbers_of_each_phase_leave_that_phase() {
    for (aorta, liver, expected) in [
        (45.0, Some(55.0), vec![Native]),
        (310.0, Some(72.0), vec![Arterial]),
        (165.0, Some(110.0), vec![PortalVenous]),
        (118.0, Some(94.0), vec![PortalVenous, Delayed]),
        // Late arterial of a thin contrast, or early portal venous: both stay possible.
        (200.0, Some(95.0), vec![Arterial, PortalVenous]),
        (310.0, None, vec![Arterial]),
        (165.0, None, vec![PortalVenous]),
        (120.0, None, vec![PortalVenous, Delayed]),
        (200.0, None, vec![Arterial, PortalVenous]),
    ] {
        assert_eq!(reading(aorta, liver, None, None).possible, expected, "{aorta} {liver:?}");
    }
}

#[test]
fn kidneys_and_portal_vein_decide_what_the_aorta_leaves_open() {
    let open = |kidneys, vein| reading(200.0, Some(95.0), kidneys, vein).possible;
    assert_eq!(open(Some([180.0, 75.0, 0.0]), None), [Arterial, PortalVenous]);
    assert_eq!(open(Some([185.0, 175.0, 0.0]), None), [PortalVenous]);
    assert_eq!(open(None, Some(95.0)), [Arterial]);
    assert_eq!(open(None, Some(190.0)), [PortalVenous]);
    let late = |kidneys| reading(120.0, Some(95.0), Some(kidneys), None).possible;
    assert_eq!(late([150.0, 148.0, 0.0]), [PortalVenous, Delayed]);
    assert_eq!(late([180.0, 120.0, 0.0]), [PortalVenous], "three minutes have not passed");
    let strong = |excreted| reading(142.0, Some(96.0), Some([170.0, 172.0, excreted]), None).possible;
    assert_eq!(strong(0.0), [PortalVenous]);
    assert_eq!(strong(3.0), [PortalVenous, Delayed], "excreted medium comes late");
}

#[test]
fn organs_that_contradict_each_other_tell_nothing() {
    // Excreted medium of an earlier injection beside an arterial aorta.
    let second_injection = reading(320.0, Some(75.0), Some([190.0, 80.0, 3.0]), Some(90.0));
    assert_eq!(second_injection.verdict(Arterial), PhaseVerdict::CannotTell);
    let said = second_injection.to_string();
    assert!(said.contains("3.0 ml of excreted medium") && said.contains("contradict each other"), "{said}");
}

#[test]
fn a_reading_says_each_organ_and_what_was_not_read() {
    let said = reading(155.0, Some(110.0), Some([180.0, 165.0, 0.0]), None).to_string();
    let expected = "aorta 155 HU, liver 110 HU, kidneys 180 HU over 165 HU (cortex, medulla): portal venous; \
                    portal vein not read (not looked for)";
    assert_eq!(said, expected);
}

#[test]
fn no_number_of_the_aorta_alone_leaves_no_phase() {
    for aorta in -50..600 {
        for liver in [None, Some(-20.0), Some(60.0), Some(180.0)] {
            let found = reading(f64::from(aorta), liver, None, None);
            assert!(!found.possible.is_empty(), "{aorta} {liver:?}");
        }
    }
}
