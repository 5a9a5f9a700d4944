//! Exact thresholds: −30 %, +20 %, +5 mm, 10 mm and 15 mm, a millionth of a millimetre on either side, for any size.

use lesiontrace_oncology::criteria::CriterionTable;
use lesiontrace_oncology::criteria::response::TargetResponse::{self, Complete, Partial, Progressive, Stable};
use lesiontrace_oncology::criteria::selection::{Candidate, MeasuredOn, PriorTherapy, Subtype, measurability};
use lesiontrace_oncology::criteria::size::SizedLesion;
use lesiontrace_oncology::criteria::target::{TargetHistory, target_response};
use lesiontrace_oncology::{Exact, LesionId, LesionKind, Organ, Size};
use proptest::prelude::*;

const MM: i64 = 1_000_000;

fn response(baseline: i64, nadir: i64, lesions: &[(LesionKind, i64)]) -> TargetResponse {
    let sized = |(index, (kind, size)): (usize, &(LesionKind, i64))| SizedLesion {
        lesion: LesionId::new(format!("L{index}")),
        kind: *kind,
        size: Size::Measured(Exact::from_millionths(*size)),
    };
    let history = TargetHistory {
        baseline: Some(Exact::from_millionths(baseline)),
        nadir: Some(Exact::from_millionths(nadir)),
        partial_established: false,
        overall_complete_reached: false,
    };
    let targets: Vec<SizedLesion> = lesions.iter().enumerate().map(sized).collect();
    target_response(&targets, &history, &CriterionTable::built_in("recist_1_1").expect("built in")).response
}

fn one(baseline: i64, nadir: i64, size: i64) -> TargetResponse {
    response(baseline, nadir, &[(LesionKind::Lesion, size)])
}

fn is_measurable(kind: LesionKind, size: i64, slice: Option<i64>) -> bool {
    let candidate = Candidate {
        lesion: LesionId::new("L1"),
        organ: Organ::Liver,
        kind,
        size: Ok(Exact::from_millionths(size)),
        slice_mm: slice.map(Exact::from_millionths),
        measured_on: MeasuredOn::CrossSection,
        subtype: Subtype::Soft,
        prior_therapy: PriorTherapy::None,
    };
    measurability(&candidate, &CriterionTable::built_in("recist_1_1").expect("built in")).measurable
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn thirty_percent_down_is_partial_and_a_millionth_more_is_not(tenth in MM..50 * MM) {
        let baseline = 10 * tenth;
        prop_assert_eq!(one(baseline, baseline, 7 * tenth), Partial);
        prop_assert_eq!(one(baseline, baseline, 7 * tenth + 1), Stable);
    }

    #[test]
    fn twenty_percent_up_is_progression_and_a_millionth_less_is_not(fifth in 5 * MM..100 * MM) {
        // From 25 mm on the percentage decides, not the 5 mm.
        let nadir = 5 * fifth;
        prop_assert_eq!(one(nadir, nadir, 6 * fifth), Progressive);
        prop_assert_eq!(one(nadir, nadir, 6 * fifth - 1), Stable);
    }

    #[test]
    fn five_millimetres_up_are_progression_and_a_millionth_less_is_not(nadir in 1..25 * MM) {
        prop_assert_eq!(one(100 * MM, nadir, nadir + 5 * MM), Progressive);
        prop_assert_ne!(one(100 * MM, nadir, nadir + 5 * MM - 1), Progressive);
    }

    #[test]
    fn nodes_below_ten_millimetres_are_gone_whatever_their_sum(sizes in prop::collection::vec(0..10 * MM, 1..5)) {
        let nodes: Vec<(LesionKind, i64)> = sizes.iter().map(|size| (LesionKind::Node, *size)).collect();
        prop_assert_eq!(response(80 * MM, 1, &nodes), Complete);
        let mut one_at_ten = nodes;
        one_at_ten[0].1 = 10 * MM;
        prop_assert_ne!(response(80 * MM, 1, &one_at_ten), Complete);
    }

    #[test]
    fn a_lesion_is_measurable_from_ten_and_from_twice_the_slice_on(slice in 1..12 * MM) {
        let limit = (2 * slice).max(10 * MM);
        prop_assert!(is_measurable(LesionKind::Lesion, limit, Some(slice)));
        prop_assert!(!is_measurable(LesionKind::Lesion, limit - 1, Some(slice)));
        let limit = (2 * slice).max(15 * MM);
        prop_assert!(is_measurable(LesionKind::Node, limit, Some(slice)));
        prop_assert!(!is_measurable(LesionKind::Node, limit - 1, Some(slice)));
    }
}
