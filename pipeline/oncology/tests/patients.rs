//! Whole patients: by hand, after ablation, without an arterial phase, and properties that hold for any patient.

use jiff::civil::{Date, date};
use lesiontrace_oncology::criteria::response::{OverallResponse, TargetResponse};
use lesiontrace_oncology::criteria::table::AblatedTarget;
use lesiontrace_oncology::criteria::{
    CriterionResult, CriterionTable, LesionVisit, ReaderCall, ResponseInput, TrackedLesion, VisitInfo, assess,
};
use lesiontrace_oncology::marker::{Marker, MarkerReading};
use lesiontrace_oncology::{Exact, LesionId, LesionKind, LesionRole, LesionState, Organ, Size, VisitId};
use proptest::prelude::*;

const DATES: [Date; 4] = [date(2024, 1, 2), date(2024, 3, 1), date(2024, 5, 1), date(2024, 7, 1)];

fn mm(text: &str) -> Size {
    match text {
        "absent" => Size::Absent,
        "NE" => Size::NotEvaluable("no arterial phase".to_owned()),
        number => Size::Measured(number.parse().unwrap_or_else(|_| panic!("{number} is a number"))),
    }
}

fn visit(size: &Size, viable: &Size, state: LesionState) -> LesionVisit {
    LesionVisit { size: size.clone(), viable: viable.clone(), state, scan_date: None, reader: None }
}

/// A lesion given by (whole diameter, viable diameter, state) at every visit.
fn lesion(id: &str, organ: Organ, first_seen: usize, visits: &[(&str, &str, LesionState)]) -> TrackedLesion {
    let visits = visits.iter().map(|(size, viable, state)| visit(&mm(size), &mm(viable), *state)).collect();
    TrackedLesion::new(LesionId::new(id), organ, LesionKind::Lesion, first_seen, visits)
}

fn patient(n_visits: usize, lesions: Vec<TrackedLesion>) -> ResponseInput {
    let visits =
        DATES[..n_visits].iter().map(|date| VisitInfo { visit: VisitId::first(*date), adequate: true }).collect();
    ResponseInput { patient_id: "P1".to_owned(), origin_date: None, visits, lesions, markers: Vec::new() }
}

fn by(criterion: &str, input: &ResponseInput) -> CriterionResult {
    let table = CriterionTable::built_in(criterion).expect("a built-in criterion");
    assess(input, &table).expect("a well-formed patient")
}

fn overall(result: &CriterionResult) -> Vec<&'static str> {
    result.visits.iter().map(|visit| visit.verdict.overall.as_str()).collect()
}

use LesionState::{Ablated, Absent, LocalProgression, NotEvaluable, Present};

fn ablated() -> ResponseInput {
    let mut treated = lesion(
        "L1",
        Organ::Liver,
        0,
        &[("30", "30", Present), ("45", "absent", Ablated), ("40", "absent", Ablated), ("38", "14", LocalProgression)],
    );
    treated.treated_dates = vec![date(2024, 1, 20)];
    let other = lesion("L2", Organ::Lung, 0, &[("20", "NE", Present); 4]);
    patient(4, vec![treated, other])
}

#[test]
fn a_zone_is_never_measured_as_tumour() {
    let result = by("recist_1_1", &ablated());
    let sums: Vec<Option<f64>> = result.rows.iter().map(|row| row.sum_mm).collect();
    assert_eq!(sums, [Some(50.0), Some(20.0), Some(20.0), Some(34.0)]);
    assert_eq!(overall(&result), ["PR", "PR", "PD"]);
    assert_eq!(result.rows[0].target, "BASELINE");
    assert_eq!(result.rows[3].why, "sum 34 mm is 70.0 % above the nadir 20 mm (≥ 20 % and ≥ 5 mm): PD");
    assert_eq!(result.rows[3].flips_if, "PD would become PR if the sum were more than 9 mm smaller");
    assert_eq!(result.visits[2].progressed.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>(), ["L1"]);
    assert_eq!(result.progression_date, Some(DATES[3]));
}

#[test]
fn the_other_rules_for_ablated_targets_give_other_sums() {
    let mut table = CriterionTable::built_in("recist_1_1").expect("built in");
    table.options.ablated_target.value = AblatedTarget::Whole;
    let whole = assess(&ablated(), &table).expect("well formed");
    assert_eq!(whole.rows[1].sum_mm, Some(65.0));
    assert_eq!(overall(&whole)[0], "PD");
    table.options.ablated_target.value = AblatedTarget::Rebaseline;
    let again = assess(&ablated(), &table).expect("well formed");
    let baselines: Vec<Option<f64>> = again.rows.iter().map(|row| row.baseline_mm).collect();
    assert_eq!(baselines, [Some(50.0), Some(65.0), Some(65.0), Some(65.0)]);
    assert_eq!(overall(&again), ["SD", "SD", "SD"]);
}

#[test]
fn without_an_arterial_phase_nothing_is_guessed() {
    let no_phase = lesion("L1", Organ::Liver, 0, &[("30", "28", Present), ("30", "NE", Present)]);
    let result = by("mrecist", &patient(2, vec![no_phase.clone()]));
    assert_eq!(overall(&result), ["NE"]);
    assert!(result.rows[1].why.contains("no arterial phase"), "{}", result.rows[1].why);
    assert_eq!(overall(&by("recist_1_1", &patient(2, vec![no_phase]))), ["SD"]);
    let never = lesion("L1", Organ::Liver, 0, &[("30", "NE", Present), ("30", "20", Present)]);
    let result = by("mrecist", &patient(2, vec![never]));
    assert_eq!(result.roles[0].role, LesionRole::Target);
    assert_eq!(overall(&result), ["NE"]);
}

#[test]
fn an_ablated_target_without_a_viability_reading_is_not_evaluable() {
    let mut unread = lesion("L1", Organ::Liver, 0, &[("30", "30", Present), ("45", "NE", Ablated)]);
    unread.treated_dates = vec![date(2024, 1, 20)];
    assert_eq!(overall(&by("recist_1_1", &patient(2, vec![unread]))), ["NE"]);
}

#[test]
fn what_is_not_known_to_enhance_is_no_complete_response_of_viable_tumour() {
    let mut ablated = lesion("L1", Organ::Liver, 0, &[("30", "30", Present), ("absent", "absent", Ablated)]);
    ablated.treated_dates = vec![date(2024, 1, 20)];
    assert_eq!(overall(&by("mrecist", &patient(2, vec![ablated.clone()]))), ["CR"]);
    ablated.unconfirmed.insert(1, "no arterial phase".to_owned());
    assert_eq!(overall(&by("mrecist", &patient(2, vec![ablated.clone()]))), ["NE"]);
    assert_eq!(overall(&by("recist_1_1", &patient(2, vec![ablated]))), ["CR"], "a sum of diameters asks for no phase");
    let gone = lesion("L1", Organ::Liver, 0, &[("30", "NE", Present), ("absent", "absent", Absent)]);
    let result = by("mrecist", &patient(2, vec![gone.clone()]));
    assert_eq!(overall(&result), ["NE"], "whether it ever enhanced is not known: {}", result.rows[1].why);
    assert_eq!(overall(&by("recist_1_1", &patient(2, vec![gone]))), ["CR"]);
}

#[test]
fn the_two_criteria_part_where_tumour_dies_without_shrinking() {
    let necrotic = lesion("L1", Organ::Liver, 0, &[("45", "45", Present), ("44", "absent", Present)]);
    let input = patient(2, vec![necrotic]);
    assert_eq!(overall(&by("recist_1_1", &input)), ["SD"]);
    assert_eq!(overall(&by("mrecist", &input)), ["CR"]);
}

#[test]
fn an_equivocal_node_that_is_confirmed_dates_back() {
    let target = lesion("L1", Organ::Liver, 0, &[("30", "NE", Present); 4]);
    let sizes = ["absent", "11", "13", "16"];
    let mut node = lesion("L2", Organ::LymphNode, 1, &sizes.map(|size| (size, "NE", Present)));
    node.kind = LesionKind::Node;
    assert_eq!(overall(&by("recist_1_1", &patient(4, vec![target.clone(), node.clone()]))), ["PD", "PD", "PD"]);
    node.visits.truncate(3);
    let mut short = target;
    short.visits.truncate(3);
    let result = by("recist_1_1", &patient(3, vec![short, node]));
    assert_eq!(overall(&result), ["SD", "SD"]);
    assert_eq!(result.rows[2].new_lesion, "E");
}

#[test]
fn a_reader_decides_on_non_targets_where_there_are_targets() {
    let target = lesion("L1", Organ::Liver, 0, &[("30", "NE", Present); 2]);
    let mut small = lesion("L2", Organ::Lung, 0, &[("9", "NE", Present), ("19", "NE", Present)]);
    let result = by("recist_1_1", &patient(2, vec![target.clone(), small.clone()]));
    assert_eq!(result.roles[1].role, LesionRole::NonTarget);
    assert_eq!(overall(&result), ["SD"]);
    assert!(result.rows[1].why.contains("a reader decides"), "{}", result.rows[1].why);
    small.visits[1].reader = Some(ReaderCall::Progression);
    assert_eq!(overall(&by("recist_1_1", &patient(2, vec![target, small]))), ["PD"]);
    let alone = lesion("L2", Organ::Lung, 0, &[("9", "NE", Present), ("19", "NE", Present)]);
    assert_eq!(overall(&by("recist_1_1", &patient(2, vec![alone]))), ["PD"]);
}

/// L2 is perhaps no lesion until the last visit.
#[test]
fn what_is_perhaps_no_lesion_makes_no_progression() {
    use LesionState::Uncertain;
    let doubted = |sizes: [&str; 4]| {
        let state = |size: &str| if size == "absent" { Absent } else { Uncertain };
        let visits = sizes.map(|size| (size, "NE", state(size)));
        TrackedLesion { in_doubt: [0, 1, 2].into(), ..lesion("L2", Organ::Lung, 0, &visits) }
    };
    let gone = [("30", "30", Present), ("absent", "absent", Absent), ("absent", "absent", Absent)];
    let target = lesion("L1", Organ::Liver, 0, &[gone[0], gone[1], gone[2], gone[2]]);
    let again = by("recist_1_1", &patient(4, vec![target, doubted(["25", "absent", "25", "31"])]));
    assert_eq!(again.roles.iter().map(|one| one.role).collect::<Vec<_>>(), [LesionRole::Target, LesionRole::NonTarget]);
    assert_eq!(again.roles[1].why, "non-target: in doubt as a lesion at baseline");
    assert_eq!(overall(&again), ["CR", "PR", "PD"]);
    let alone = |sizes| by("recist_1_1", &patient(4, vec![doubted(sizes)]));
    assert_eq!(overall(&alone(["20", "30", "40", "40"])), ["NON-CR/NON-PD", "NON-CR/NON-PD", "PD"]);
    assert_eq!(alone(["20", "30", "40", "40"]).visits[2].progressed.len(), 1);
    // Never one: no disease that could be gone.
    let never = alone(["20", "absent", "20", "absent"]);
    assert_eq!((never.roles[0].role, overall(&never)), (LesionRole::NotRecorded, vec!["NED"; 3]));
    let certain = TrackedLesion { in_doubt: [].into(), ..doubted(["25", "absent", "25", "31"]) };
    assert_eq!(by("recist_1_1", &patient(4, vec![certain])).roles[0].role, LesionRole::Target);
}

/// L2 is seen again after the complete response; L3, not evaluated then, does not undo that.
#[test]
fn a_non_target_seen_again_is_progression_whatever_was_not_evaluated() {
    let gone = ("absent", "absent", Absent);
    let target = lesion("L1", Organ::Liver, 0, &[("30", "NE", Present), gone, gone]);
    let again = lesion("L2", Organ::Lung, 0, &[("8", "NE", Present), gone, ("8", "NE", Present)]);
    let unknown = |last| lesion("L3", Organ::Lung, 0, &[("8", "NE", Present), gone, last]);
    for last in [gone, ("NE", "NE", NotEvaluable)] {
        let found = by("recist_1_1", &patient(3, vec![target.clone(), again.clone(), unknown(last)]));
        assert_eq!(overall(&found), ["CR", "PD"], "{last:?}: {}", found.rows[2].why);
    }
    let none = lesion("L2", Organ::Lung, 0, &[("8", "NE", Present), gone, gone]);
    let open = by("recist_1_1", &patient(3, vec![target, none, unknown(("NE", "NE", NotEvaluable))]));
    assert_eq!(overall(&open), ["CR", "PR"], "nothing is seen");
}

#[test]
fn a_visit_that_missed_a_target_is_not_evaluable() {
    let whole = lesion("L1", Organ::Liver, 0, &[("30", "NE", Present), ("20", "NE", Present), ("30", "NE", Present)]);
    let missed =
        lesion("L2", Organ::Lung, 0, &[("20", "NE", Present), ("NE", "NE", NotEvaluable), ("20", "NE", Present)]);
    let result = by("recist_1_1", &patient(3, vec![whole, missed]));
    assert_eq!(overall(&result), ["NE", "SD"]);
    assert_eq!(result.rows[2].nadir_mm, Some(50.0), "an incomplete sum is no nadir");
}

/// Badness of an overall response, for "never improves".
fn badness(response: OverallResponse) -> u8 {
    match response {
        OverallResponse::NoDisease | OverallResponse::Complete => 0,
        OverallResponse::Partial => 1,
        OverallResponse::Stable | OverallResponse::NonTargetPersistent => 2,
        OverallResponse::NotEvaluable => 3,
        OverallResponse::Progressive => 4,
    }
}

fn any_size() -> impl Strategy<Value = Size> {
    prop_oneof![
        6 => (0_i64..90_000).prop_map(|um| Size::Measured(Exact::from_millionths(um * 1000))),
        1 => Just(Size::Absent),
        1 => Just(Size::TooSmallToMeasure),
        1 => Just(Size::NotEvaluable("not imaged".to_owned())),
    ]
}

fn any_lesion(id: usize) -> impl Strategy<Value = TrackedLesion> {
    let organ = prop_oneof![Just(Organ::Liver), Just(Organ::Lung), Just(Organ::LymphNode)];
    (10_000_i64..80_000, prop::collection::vec(any_size(), 3), organ).prop_map(move |(first, later, organ)| {
        let kind = if organ == Organ::LymphNode { LesionKind::Node } else { LesionKind::Lesion };
        let sizes = std::iter::once(Size::Measured(Exact::from_millionths(first * 1000))).chain(later);
        let state = |size: &Size| if *size == Size::Absent { Absent } else { Present };
        let visits = sizes.map(|size| visit(&size, &size, state(&size))).collect();
        TrackedLesion::new(LesionId::new(format!("L{id}")), organ, kind, 0, visits)
    })
}

fn any_patient() -> impl Strategy<Value = ResponseInput> {
    (1_usize..6).prop_flat_map(|n| {
        (0..n).map(|id| any_lesion(id).boxed()).collect::<Vec<_>>().prop_map(|lesions| patient(4, lesions))
    })
}

#[test]
fn irecist_confirms_a_new_lesion_by_its_growth_and_dates_it_back() {
    let target = lesion("L1", Organ::Liver, 0, &[("50", "50", Present); 4]);
    let new = lesion(
        "L2",
        Organ::Lung,
        1,
        &[("absent", "absent", Absent), ("12", "12", Present), ("16", "16", Present), ("17", "17", Present)],
    );
    let result = by("irecist", &patient(4, vec![target, new]));
    let words: Vec<&str> = result.rows[1..].iter().map(|row| row.overall.as_str()).collect();
    assert_eq!(words, ["iUPD", "iUPD", "iCPD"]);
    assert_eq!(result.progression_date, Some(DATES[1]));
    assert!(result.rows[1].flips_if.contains("new lesions from 17 mm on"), "{}", result.rows[1].flips_if);
    assert_eq!(result.best_words(), ("iCPD", "iCPD"));
}

#[test]
fn by_irecist_a_progression_that_was_reset_is_none_that_lasts() {
    let course = |sizes: [&'static str; 4]| {
        let visits = sizes.map(|size| (size, size, Present));
        by("irecist", &patient(4, vec![lesion("L1", Organ::Liver, 0, &visits)]))
    };
    let words = |result: &CriterionResult| result.rows[1..].iter().map(|row| row.overall.clone()).collect::<Vec<_>>();
    let lasting = |result: &CriterionResult| (0..3).map(|visit| result.is_lasting(visit)).collect::<Vec<_>>();
    let reset = course(["50", "62", "50", "50"]);
    assert_eq!((words(&reset)[0].as_str(), lasting(&reset)), ("iUPD", vec![false; 3]));
    let confirmed = course(["50", "62", "68", "70"]);
    assert_eq!(words(&confirmed)[..2], ["iUPD", "iCPD"]);
    assert_eq!(lasting(&confirmed), [true, true, false], "nothing is judged after it");
    let recist = by("recist_1_1", &patient(2, vec![lesion("L1", Organ::Liver, 0, &[("50", "50", Present); 2])]));
    assert!(recist.is_lasting(0));
}

#[test]
fn a_response_after_progression_is_no_first_response() {
    let course = |sizes: [&'static str; 4]| {
        let visits = sizes.map(|size| (size, size, Present));
        by("recist_1_1", &patient(4, vec![lesion("L1", Organ::Liver, 0, &visits)])).first_response()
    };
    assert_eq!(course(["50", "62", "30", "30"]), None);
    assert_eq!(course(["50", "50", "30", "62"]), Some(DATES[2]));
}

#[test]
fn a_confirmed_response_dates_from_the_first_of_the_two_visits() {
    let course = |sizes: [&'static str; 4]| {
        let visits = sizes.map(|size| (size, size, Present));
        let found = by("recist_1_1", &patient(4, vec![lesion("L1", Organ::Liver, 0, &visits)]));
        (found.first_response(), found.first_confirmed_response)
    };
    assert_eq!(course(["50", "30", "30", "30"]), (Some(DATES[1]), Some(DATES[1])));
    assert_eq!(course(["50", "50", "50", "30"]), (Some(DATES[3]), None), "seen once");
    assert_eq!(course(["50", "50", "30", "62"]), (Some(DATES[2]), None), "then progression");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_new_lesion_never_improves_a_response(
        input in any_patient(), size in any_size(), at in 1_usize..4,
        criterion in prop::sample::select(vec!["recist_1_1", "mrecist", "xu2021_recist"])
    ) {
        let before = by(criterion, &input);
        let mut worse = input;
        let seen = |visit_index: usize| if visit_index < at { Size::Absent } else { size.clone() };
        let visits = (0..4).map(|index| visit(&seen(index), &seen(index), Present)).collect();
        worse.lesions.push(TrackedLesion::new(LesionId::new("new"), Organ::Liver, LesionKind::Lesion, at, visits));
        let after = by(criterion, &worse);
        for (before, after) in before.visits.iter().zip(&after.visits) {
            prop_assert!(badness(after.verdict.overall) >= badness(before.verdict.overall));
        }
    }

    /// Until the first visit that shows it nothing changes; there it is at least an unconfirmed progression, unless nobody could see.
    #[test]
    fn by_irecist_a_new_lesion_never_improves_the_visit_that_first_shows_it(
        input in any_patient(), size in 1_i64..90_000, at in 1_usize..4
    ) {
        let before = by("irecist", &input);
        let mut worse = input;
        let new = Size::Measured(Exact::from_millionths(size * 1000));
        let seen = |visit_index: usize| if visit_index < at { Size::Absent } else { new.clone() };
        let visits = (0..4).map(|index| visit(&seen(index), &seen(index), Present)).collect();
        worse.lesions.push(TrackedLesion::new(LesionId::new("new"), Organ::Liver, LesionKind::Lesion, at, visits));
        let after = by("irecist", &worse);
        let words = |result: &CriterionResult| result.rows.iter().map(|row| row.overall.clone()).collect::<Vec<_>>();
        let (before, after) = (words(&before), words(&after));
        prop_assert_eq!(&before[..at], &after[..at]);
        if !before[at].is_empty() {
            prop_assert!(["iUPD", "iCPD"].contains(&after[at].as_str()), "{before:?} {after:?}");
            prop_assert!(before[at] != "iCPD" || after[at] == "iCPD", "{before:?} {after:?}");
        }
    }

    #[test]
    fn the_order_of_lesions_does_not_matter(input in any_patient()) {
        let mut turned = input.clone();
        turned.lesions.reverse();
        for criterion in ["recist_1_1", "mrecist", "irecist"] {
            prop_assert_eq!(by(criterion, &input).rows, by(criterion, &turned).rows);
        }
    }

    #[test]
    fn scale_does_not_matter_where_no_rule_is_in_millimetres(
        sizes in prop::collection::vec(prop::collection::vec(1_i64..60_000, 4), 1..5), factor in 1_i64..9
    ) {
        let mut table = CriterionTable::built_in("recist_1_1").expect("built in");
        // Only ratios are left: the 5 mm rule is taken out, and every lesion is a target whatever its size.
        table.thresholds.pd_abs_mm.value = Exact::ZERO;
        let scaled = |factor: i64| {
            let mut input = patient(4, Vec::new());
            for (id, row) in sizes.iter().enumerate() {
                let size = |um: &i64| Size::Measured(Exact::from_millionths(um * 1000 * factor));
                let visits = row.iter().map(|um| visit(&size(um), &size(um), Present)).collect();
                let id = LesionId::new(format!("L{id}"));
                let mut one = TrackedLesion::new(id, Organ::Liver, LesionKind::Lesion, 0, visits);
                one.role_override = Some(LesionRole::Target);
                input.lesions.push(one);
            }
            let result = assess(&input, &table).expect("well formed");
            result.visits.into_iter().map(|visit| visit.verdict.target).collect::<Vec<TargetResponse>>()
        };
        prop_assert_eq!(scaled(1), scaled(factor));
    }
}

#[test]
fn a_marker_above_normal_keeps_a_response_from_being_complete() {
    let gone = lesion("L1", Organ::Liver, 0, &[("30", "30", Present), ("absent", "absent", Absent)]);
    let mut input = patient(2, vec![gone]);
    assert_eq!(overall(&by("recist_1_1", &input)), ["CR"]);
    let afp = |day: Date, value: i32| MarkerReading {
        marker: Marker::Afp,
        date: day,
        value: Exact::whole(value),
        unit: "ng/ml".to_owned(),
        upper_limit: Exact::whole(10),
    };
    input.markers = vec![afp(DATES[0], 300), afp(DATES[1], 11)];
    let result = by("recist_1_1", &input);
    assert_eq!(overall(&result), ["PR"]);
    assert!(result.rows[1].why.contains("AFP 11 ng/ml"), "{}", result.rows[1].why);
    input.markers[1].value = Exact::whole(10);
    assert_eq!(overall(&by("recist_1_1", &input)), ["CR"]);
    input.markers.pop();
    assert_eq!(by("recist_1_1", &input).visits[0].verdict.non_target.as_str(), "NE");
}

#[test]
fn each_visit_says_how_far_the_next_response_is_and_what_other_targets_would_have_said() {
    let mut lesions = vec![
        lesion("L1", Organ::Liver, 0, &[("40", "40", Present), ("27", "27", Present)]),
        lesion("L2", Organ::Liver, 0, &[("30", "30", Present), ("21", "21", Present)]),
        lesion("L3", Organ::Liver, 0, &[("20", "20", Present), ("20", "20", Present)]),
    ];
    for lesion in &mut lesions {
        lesion.half_widths_mm = [(0, Exact::whole(5)), (1, Exact::whole(1))].into();
    }
    let result = by("recist_1_1", &patient(2, lesions));
    let row = &result.rows[1];
    // Targets L1 and L2: 70 → 48 mm, PR up to 49 mm; the band of two diameters is √2 mm wide on either side.
    assert_eq!((row.overall.as_str(), row.next_target.as_str(), row.next_target_mm), ("PR", "SD", Some(1.0)));
    assert_eq!((row.sum_half_width_mm, row.within_error), (Some(1.41), Some(true)));
    // With L3 instead of either: 60 → 47 or 50 → 41 mm, both SD.
    assert_eq!((row.over_selections.as_str(), row.n_selections), ("PR|SD", Some(3)));
    assert_eq!(result.rows[0].over_selections, "");
}
