//! Each rule on the smallest patient: three visits, a lesion that stays, one that is new at the second visit, one that was ablated.

use std::collections::{BTreeMap, BTreeSet};

use imaging::{Affine, FrameId, Grid, Mm, Point, Shape};
use jiff::civil::date;

use super::*;
use crate::lesion::{LesionId, LesionKind, LesionRole, LesionState, Organ};
use crate::tracking::{LesionTrack, Sighting, ZoneContact};
use crate::visit_id::VisitId;

fn visits() -> Vec<VisitId> {
    [date(2024, 1, 10), date(2024, 3, 13), date(2024, 6, 5)].map(VisitId::first).to_vec()
}

pub(super) fn grid() -> Grid {
    let rows = [[0.8, 0.1, 0.0, -20.0], [-0.1, 0.8, 0.0, 5.0], [0.0, 0.0, 5.0, 40.0], [0.0, 0.0, 0.0, 1.0]];
    Grid::new(Shape { ni: 64, nj: 64, nk: 6 }, Affine::from_rows(rows).unwrap(), FrameId::new("f")).unwrap()
}

fn seen(state: LesionState, labels: &[u16]) -> Sighting {
    let center = (!labels.is_empty()).then(|| Point::new(1.0, 2.0, 3.0));
    Sighting { labels: labels.to_vec(), center, ..Sighting::without_outline(state, String::new()) }
}

fn track(id: &str, first_visit: usize, states: &[(LesionState, &[u16])]) -> LesionTrack {
    let sightings = states.iter().enumerate().map(|(n, (state, labels))| (first_visit + n, seen(*state, labels)));
    LesionTrack {
        id: LesionId::new(id),
        reader_name: None,
        organ: Organ::Liver,
        kind: LesionKind::Lesion,
        first_visit,
        perhaps_none: None,
        sightings: sightings.collect(),
    }
}

/// L1 stays; L2 is ablated after the first visit, with a focus at its zone at the third; L3 is new at the second.
pub(super) fn followed() -> Followed {
    use LesionState::{Ablated, LocalProgression, Present};
    let mut tracks = vec![
        track("L1", 0, &[(Present, &[1]), (Present, &[1]), (Present, &[1])]),
        track("L2", 0, &[(Present, &[2]), (Ablated, &[]), (LocalProgression, &[2])]),
        track("L3", 1, &[(Present, &[3]), (Present, &[3])]),
    ];
    let contact =
        ZoneContact { treated: LesionId::new("L2"), distance: Mm(4.0), contiguous: Mm(2.0), sigma: Some(Mm(0.0)) };
    tracks[2].sightings.get_mut(&1).unwrap().contact = Some(contact);
    Followed {
        tracks,
        zones: BTreeMap::from([((1, LesionId::new("L2")), vec![1]), ((2, LesionId::new("L2")), vec![1])]),
        treated: BTreeMap::from([(LesionId::new("L2"), vec![date(2024, 2, 1)])]),
        roles: BTreeMap::new(),
        reviewed: Reviewed::default(),
    }
}

/// Two voxels of slices 2 and 3 that span what is outlined of every lesion: columns 22 to 38, rows 24 to 36.
const OUTLINED: [[f64; 3]; 4] = [[22.0, 24.0, 2.0], [38.0, 36.0, 2.0], [22.0, 24.0, 3.0], [38.0, 36.0, 3.0]];

pub(super) fn state(followed: &Followed) -> ReadState {
    let lesion = |track: &LesionTrack| ReadableLesion {
        id: track.id.clone(),
        tracking_uid: format!("2.25.{}", track.id),
        role: if track.first_visit == 0 { "target" } else { "new" }.to_owned(),
        kind: track.kind,
        in_doubt: track.is_perhaps_none(),
        at: track
            .sightings
            .iter()
            .map(|(n, seen)| {
                let (digest, long_axis) = (format!("{}-{n}", track.id), "20.00 mm".to_owned());
                let (found, short_axis) = (ReaderAxes::default(), String::new());
                let outlined = outlined(&[OUTLINED.to_vec()]);
                (*n, ReadableSight { state: seen.state, digest, long_axis, short_axis, found, outlined })
            })
            .collect(),
    };
    ReadState {
        patient_id: "P".to_owned(),
        visits: visits(),
        grids: vec![grid(); 3],
        lesions: followed.tracks.iter().map(lesion).collect(),
    }
}

pub(super) fn read(lesion: &str, visit: &str, item: &str, value: &str) -> ReadRow {
    ReadRow {
        patient_id: "P".to_owned(),
        lesion_id: lesion.to_owned(),
        visit: visit.to_owned(),
        item: item.to_owned(),
        value: value.to_owned(),
        reader: "Reader A".to_owned(),
        read_at: "2024-07-01T09:00:00Z".to_owned(),
        ..ReadRow::default()
    }
}

fn by(reader: &str, row: ReadRow) -> ReadRow {
    ReadRow { reader: reader.to_owned(), ..row }
}

pub(super) fn put(rows: &[ReadRow]) -> Applied {
    let before = followed();
    let state = state(&before);
    apply(rows, &state, before, &BTreeSet::new())
}

pub(super) fn only(row: ReadRow) -> (Applied, ReadRow) {
    let applied = put(&[row]);
    let row = applied.reads[0].clone();
    (applied, row)
}

fn find<'a>(applied: &'a Applied, id: &str) -> Option<&'a LesionTrack> {
    applied.followed.tracks.iter().find(|track| track.id.as_str() == id)
}

/// Why a read is refused.
pub(super) fn refused(row: ReadRow) -> String {
    let (applied, row) = only(row);
    assert_eq!(applied.followed, followed(), "a refused read changes nothing");
    assert_eq!(row.outcome, Outcome::Refused, "{row:?}");
    row.reason
}

#[test]
fn a_rejected_lesion_goes_and_nothing_names_it_any_more() {
    let (applied, row) = only(read("L2", "", "finding", "reject"));
    assert_eq!((row.outcome, row.old.as_str()), (Outcome::Applied, "accept"));
    assert!(find(&applied, "L2").is_none() && applied.followed.zones.is_empty() && applied.followed.treated.is_empty());
    assert_eq!(find(&applied, "L3").unwrap().sightings[&1].contact, None);
    assert_eq!(find(&applied, "L1"), followed().tracks.first());
}

#[test]
fn who_accepts_what_is_perhaps_no_lesion_takes_the_doubt_away() {
    let mut before = followed();
    before.tracks[2].perhaps_none = Some("far off".to_owned());
    for seen in before.tracks[2].sightings.values_mut() {
        (seen.state, seen.reason) = (LesionState::Uncertain, "perhaps no lesion: far off".to_owned());
    }
    let state = state(&before);
    let states_after = |item: &str, value: &str| {
        let applied = apply(&[read("L3", "", item, value)], &state, before.clone(), &BTreeSet::new());
        assert_eq!(applied.reads[0].outcome, Outcome::Applied, "{item} {value}: {}", applied.reads[0].reason);
        let track = find(&applied, "L3").unwrap();
        (track.perhaps_none.is_some(), track.sightings.values().map(|seen| seen.state).collect::<Vec<_>>())
    };
    let is_one = (false, vec![LesionState::Present; 2]);
    assert_eq!(states_after("finding", "accept"), is_one);
    assert_eq!(states_after("role", "non_target"), is_one);
    for (item, value) in [("finding", "program"), ("role", "not_recorded"), ("kind", "node")] {
        assert_eq!(states_after(item, value), (true, vec![LesionState::Uncertain; 2]), "{item} {value}");
    }
    let applied = apply(&[read("L3", "", "finding", "program")], &state, before.clone(), &BTreeSet::new());
    assert_eq!(applied.reads[0].old, "perhaps no lesion");
}

#[test]
fn role_kind_call_and_not_evaluable_change_the_lesion_they_name() {
    let row = read("L1", "", "role", "non_target");
    let (applied, row) = only(row);
    assert_eq!((row.outcome, row.old.as_str()), (Outcome::Applied, "target"));
    assert_eq!(applied.followed.reviewed.roles[&LesionId::new("L1")], LesionRole::NonTarget);
    let (applied, _) = only(read("L3", "", "kind", "node"));
    assert_eq!(find(&applied, "L3").unwrap().kind, LesionKind::Node);
    let (applied, row) = only(read("L3", "2024-03-13", "call", "equivocal"));
    assert_eq!(row.outcome, Outcome::Applied, "{}", row.reason);
    assert_eq!(applied.followed.reviewed.calls.len(), 1);
    let row = ReadRow { comment: "motion".to_owned(), ..read("L1", "2024-03-13", "evaluable", "not_evaluable") };
    let (applied, _) = only(row);
    let track = find(&applied, "L1").unwrap();
    assert_eq!(track.state_at(1), Some(LesionState::NotEvaluable));
    assert_eq!(track.sightings[&1].reason, "not evaluable by the reader: motion");
    assert_eq!(track.state_at(2), Some(LesionState::Present));
}

#[test]
fn a_new_lesion_that_is_the_ablated_one_is_its_residual_tumour() {
    let (applied, row) = only(read("L3", "", "same_as", "L2"));
    assert_eq!(row.outcome, Outcome::Applied, "{}", row.reason);
    let track = find(&applied, "L2").unwrap();
    assert!(find(&applied, "L3").is_none());
    assert_eq!((track.state_at(1), &track.sightings[&1].labels), (Some(LesionState::Residual), &vec![3]));
    assert_eq!(track.sightings[&2].labels, [2, 3], "two foci of one lesion");
    // Where complete ablation had been documented before, it is local progression.
    let before = Followed { tracks: vec![followed().tracks[1].clone(), track_at_third()], ..followed() };
    let applied = apply(&[read("L4", "", "same_as", "L2")], &state(&before), before, &BTreeSet::new());
    assert_eq!(find(&applied, "L2").unwrap().sightings[&2].labels, [2, 4]);
}

fn track_at_third() -> LesionTrack {
    track("L4", 2, &[(LesionState::Present, &[4])])
}

#[test]
fn a_split_makes_a_lesion_of_what_follows_and_a_second_link_can_take_it() {
    let (applied, row) = only(read("L1", "2024-03-13", "split", "split"));
    assert_eq!(row.outcome, Outcome::Applied, "{}", row.reason);
    let (whole, part) = (find(&applied, "L1").unwrap(), find(&applied, "L1.2024-03-13").unwrap());
    assert_eq!((whole.state_at(0), whole.state_at(1)), (Some(LesionState::Present), Some(LesionState::Absent)));
    assert_eq!((part.first_visit, &part.sightings[&2].labels), (1, &vec![1]));
    let applied = put(&[
        read("L1", "2024-03-13", "split", "split"),
        read("L3", "", "same_as", "L1.2024-03-13"),
        read("L1.2024-03-13", "", "role", "non_target"),
    ]);
    assert!(applied.reads.iter().all(|row| row.outcome == Outcome::Applied), "{:?}", applied.reads);
    assert_eq!(find(&applied, "L1.2024-03-13").unwrap().sightings[&1].labels, [1, 3]);
    // Without the split the part is not there.
    let (_, row) = only(read("L1.2024-03-13", "", "role", "non_target"));
    assert!(row.outcome == Outcome::Refused && row.reason.contains("split"), "{}", row.reason);
    // A focus at the zone that is another lesion leaves the lesion ablated.
    let (applied, _) = only(read("L2", "2024-06-05", "split", "split"));
    assert_eq!(find(&applied, "L2").unwrap().state_at(2), Some(LesionState::Ablated));
    assert_eq!(find(&applied, "L2.2024-06-05").unwrap().state_at(2), Some(LesionState::Present));
}

#[test]
fn a_split_in_three_names_every_part_after_the_lesion() {
    let applied = put(&[read("L1", "2024-06-05", "split", "split"), read("L1", "2024-03-13", "split", "split")]);
    let ids: Vec<&str> = applied.followed.tracks.iter().map(|track| track.id.as_str()).collect();
    assert_eq!(ids, ["L1", "L2", "L3", "L1.2024-03-13", "L1.2024-06-05"]);
    assert_eq!(find(&applied, "L1.2024-03-13").unwrap().state_at(2), Some(LesionState::Absent));
}

/// A caliper of 16 mm along the rows of slice 2.
fn caliper() -> String {
    let at = |i: f64| grid().voxel_to_patient().apply(Point::new(i, 30.0, 2.0)).to_array();
    let text = |p: [f64; 3]| p.map(|v| format!("{v:.3}")).join(" ");
    format!("{}; {}", text(at(20.0)), text(at(40.0)))
}

#[test]
fn a_caliper_lies_on_one_slice_inside_the_image_where_the_lesion_is_seen() {
    let (applied, row) = only(read("L1", "2024-03-13", "long_axis", &caliper()));
    assert_eq!((row.outcome, row.old.as_str()), (Outcome::Applied, "20.00 mm"), "{}", row.reason);
    let long = applied.followed.reviewed.axes[&(1, LesionId::new("L1"))].long.unwrap();
    assert!((long.length().0 - 20.0 * 0.65_f64.sqrt()).abs() < 2e-3, "{}", long.length().0);
    for (value, why) in [
        ("1 2 3", "two points"),
        ("1 2 x; 3 4 5", "two points"),
        ("0 20 50; 0 20 NaN", "two points"),
        ("0 20 50; 900 20 50", "outside the image"),
        ("0 20 50; 10 20 60", "different slices"),
        ("0 20 50; 0 20 50", "no length"),
    ] {
        let said = refused(read("L1", "2024-03-13", "long_axis", value));
        assert!(said.contains(why), "{value}: {said}");
    }
    assert!(refused(read("L2", "2024-03-13", "long_axis", &caliper())).contains("ablated"));
    // What was put together with another lesion is drawn there.
    let applied = put(&[read("L3", "", "same_as", "L2"), read("L3", "2024-03-13", "long_axis", &caliper())]);
    assert!(applied.followed.reviewed.axes.contains_key(&(1, LesionId::new("L2"))), "{:?}", applied.reads);
}

#[test]
fn foreign_stale_and_malformed_reads_are_refused_with_the_reason() {
    let reject = || read("L1", "", "finding", "reject");
    for (row, why) in [
        (ReadRow { patient_id: "Q".to_owned(), ..reject() }, "another patient"),
        (ReadRow { tracking_uid: "2.25.1".to_owned(), ..reject() }, "another lesion"),
        (ReadRow { based_on: "L1-9".to_owned(), ..reject() }, "stale"),
        (ReadRow { reader: " ".to_owned(), ..reject() }, "reader"),
        (ReadRow { read_at: "yesterday".to_owned(), ..reject() }, "read_at"),
        (read("L9", "", "finding", "reject"), "L1, L2, L3"),
        (read("L1", "", "finding", "maybe"), "accept, reject"),
        (read("L1", "", "colour", "red"), "item"),
        (read("L1", "2024-03-13", "role", "target"), "whole lesion"),
        (read("L1", "2020-01-01", "evaluable", "not_evaluable"), "2024-01-10"),
        (read("L3", "2024-01-10", "evaluable", "not_evaluable"), "first seen later"),
        (read("L1", "2024-03-13", "evaluable", "not_evaluable"), "reason in comment"),
        (read("L3", "", "role", "target"), "at baseline"),
        (read("L1", "2024-01-10", "split", "split"), "nothing before"),
        (read("L1", "", "same_as", "L3"), "first seen after"),
        (read("L1", "", "same_as", "L1"), "itself"),
        (read("L1", "2024-03-13", "call", "equivocal"), "judged by its size"),
    ] {
        let said = refused(row.clone());
        assert!(said.contains(why), "{row:?}: {said}");
    }
    let bound = ReadRow { based_on: "L1-0".to_owned(), tracking_uid: "2.25.L1".to_owned(), ..reject() };
    assert_eq!(only(bound).1.outcome, Outcome::Applied);
}

#[test]
fn two_readers_who_differ_decide_nothing_until_an_adjudicator_does() {
    let (a, b) = (read("L1", "", "role", "non_target"), by("Reader B", read("L1", "", "role", "not_recorded")));
    let applied = put(&[a.clone(), b.clone()]);
    assert!(applied.reads.iter().all(|row| row.outcome == Outcome::Disagreement));
    assert_eq!(applied.followed, followed());
    let judge = ReadRow { adjudicator: true, ..by("Reader C", a.clone()) };
    let applied = put(&[judge.clone(), b.clone(), a.clone()]);
    assert_eq!(applied.followed.reviewed.roles[&LesionId::new("L1")], LesionRole::NonTarget);
    let outcomes = |applied: &Applied| applied.reads.iter().filter(|row| row.outcome == Outcome::Applied).count();
    assert_eq!(outcomes(&applied), 1);
    // Two who agree decide once; the later word of one reader replaces the earlier one.
    assert_eq!(outcomes(&put(&[a.clone(), by("Reader B", a.clone())])), 1);
    let later = ReadRow { read_at: "2024-07-02T09:00:00+02:00".to_owned(), ..read("L1", "", "role", "program") };
    let applied = put(&[later, a]);
    assert_eq!(applied.followed, followed(), "taken back");
}

#[test]
fn the_order_of_reads_and_a_second_time_change_nothing() {
    let rows = [
        read("L3", "", "same_as", "L2"),
        read("L1", "2024-03-13", "split", "split"),
        read("L1", "", "finding", "reject"),
        ReadRow { comment: "motion".to_owned(), ..read("L2", "2024-06-05", "evaluable", "not_evaluable") },
    ];
    let once = put(&rows);
    let backwards: Vec<ReadRow> = rows.iter().rev().cloned().collect();
    assert_eq!(put(&backwards), once);
    let twice: Vec<ReadRow> = once.reads.iter().chain(&rows).cloned().collect();
    assert_eq!(put(&twice), once);
}

#[test]
fn a_file_names_every_fault_and_takes_what_it_wrote_itself() {
    let once = put(&[read("L3", "", "same_as", "L2")]);
    let text = serde_json::to_string(&ReadsFile::new(once.reads.clone())).unwrap();
    assert_eq!(ReadsFile::parse(&text).unwrap().reads, once.reads);
    let said = ReadsFile::parse(r#"{"schema_version": 1, "reads": [{"item": 3}, {"colour": "red"}]}"#).unwrap_err();
    assert!(said.contains("read 1") && said.contains("read 2"), "{said}");
    assert!(ReadsFile::parse(r#"{"schema_version": 9, "reads": []}"#).unwrap_err().contains("found 9"));
    assert!(ReadsFile::parse("[1]").is_err() && ReadsFile::parse("").is_err());
}

#[test]
fn adjudicators_who_differ_decide_nothing_and_one_can_give_way() {
    let judge = |reader: &str, value: &str, day: &str| ReadRow {
        adjudicator: true,
        read_at: format!("2024-07-{day}T09:00:00Z"),
        ..by(reader, read("L1", "", "role", value))
    };
    let rows = [judge("C", "non_target", "02"), judge("D", "not_recorded", "03"), read("L1", "", "role", "target")];
    let applied = put(&rows);
    assert!(applied.reads.iter().all(|row| row.outcome == Outcome::Disagreement), "{:?}", applied.reads);
    assert_eq!(applied.followed, followed(), "the program's finding stands");
    let gives_way = judge("D", "non_target", "04");
    let applied = put(&[rows.as_slice(), &[gives_way]].concat());
    assert_eq!(applied.followed.reviewed.roles[&LesionId::new("L1")], LesionRole::NonTarget);
    // Who adjudicated and then only reads has withdrawn the adjudication.
    let reads_again = ReadRow { adjudicator: false, ..judge("C", "program", "05") };
    let applied = put(&[judge("C", "non_target", "02"), reads_again]);
    assert_eq!(applied.followed, followed());
}

#[test]
fn a_key_that_stands_twice_is_refused_and_a_byte_order_mark_is_not() {
    let text = serde_json::to_string(&ReadsFile::new(vec![read("L1", "", "finding", "reject")])).unwrap();
    assert_eq!(ReadsFile::parse(&format!("\u{feff}{text}")).unwrap().reads.len(), 1);
    let said = ReadsFile::parse(&text.replace("\"value\":", "\"value\":\"accept\",\"value\":")).unwrap_err();
    assert!(said.contains("\"value\" stands twice"), "{said}");
}

#[test]
fn calls_are_held_against_the_role_that_readers_gave_and_against_parts_they_made() {
    let call = |lesion: &str| read(lesion, "2024-06-05", "call", "equivocal");
    let applied = put(&[call("L1"), read("L1", "", "role", "non_target")]);
    assert!(applied.reads.iter().all(|row| row.outcome == Outcome::Applied), "{:?}", applied.reads);
    assert!(applied.followed.reviewed.calls.contains_key(&(2, LesionId::new("L1"))));
    let applied = put(&[read("L1", "2024-06-05", "split", "split"), call("L1.2024-06-05")]);
    assert!(applied.reads.iter().all(|row| row.outcome == Outcome::Applied), "{:?}", applied.reads);
    let said = put(&[read("L1", "", "role", "target"), call("L1")]).reads[1].reason.clone();
    let other = put(&[read("L1", "", "role", "target"), call("L1")]).reads[0].reason.clone();
    assert!(format!("{said}{other}").contains("L1 is a target"), "{said}{other}");
}
