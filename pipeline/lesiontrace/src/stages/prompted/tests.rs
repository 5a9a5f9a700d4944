use formats::clinical::SeedRecord;
use imaging::{Affine, FrameId, Grid, Index3, LabelMap, Shape, Volume};
use inference::{Card, Execution, Network, NetworkError};
use jiff::civil::date;
use ndarray::{ArrayD, Axis, Ix5};

use super::*;

/// A voxel is lesion where its value exceeds half of that where the click is brightest.
struct HalfOfTheClick(Execution);

impl Network for HalfOfTheClick {
    fn run(&self, window: ArrayD<f32>) -> Result<ArrayD<f32>, NetworkError> {
        let cube = window.into_dimensionality::<Ix5>().unwrap().index_axis_move(Axis(0), 0);
        let (values, click) = (cube.index_axis(Axis(0), 0), cube.index_axis(Axis(0), 2));
        let brightest = |best: (f32, f32), (click, v): (&f32, &f32)| if *click > best.0 { (*click, *v) } else { best };
        let (_, at_click) = click.iter().zip(values.iter()).fold((f32::MIN, 0.0), brightest);
        let logit = |v: f32| if at_click > 1.0 { 10.0 * (2.0 * v / at_click - 1.0) } else { -10.0 };
        Ok(values.mapv(logit).insert_axis(Axis(0)).insert_axis(Axis(0)).into_dyn())
    }
    fn execution(&self) -> &Execution {
        &self.0
    }
}

fn network() -> Segmenter {
    let card = Card::parse(include_str!("../../../../../test_data/models/prompted-0.1.0/card.toml")).unwrap();
    let execution = Execution {
        runtime: "none".to_owned(),
        library: None,
        library_sha256: None,
        device: "cpu".to_owned(),
        execution_provider: "by hand".to_owned(),
        some_operators_on_cpu: false,
        n_threads: 1,
    };
    Segmenter::with_network(card, Box::new(HalfOfTheClick(execution)))
}

const FIRST: Index3 = Index3 { i: 14, j: 30, k: 9 };
const SECOND: Index3 = Index3 { i: 46, j: 14, k: 15 };
const NOTHING: Index3 = Index3 { i: 50, j: 40, k: 3 };

/// Oblique, anisotropic, off-centre.
fn grid() -> Grid {
    let directions =
        [[0.894_003_2, -0.262_08, 0.363_417_6], [0.363_417_6, 0.898_56, -0.246_003_2], [-0.262_08, 0.352, 0.898_56]];
    let spacing = [0.9, 1.1, 2.0];
    let rows: [[f64; 4]; 4] = std::array::from_fn(|row| match row {
        3 => [0.0, 0.0, 0.0, 1.0],
        _ => std::array::from_fn(|c| if c == 3 { [-30.5, 12.25, -48.0][row] } else { directions[row][c] * spacing[c] }),
    });
    let shape = Shape { ni: 60, nj: 50, nk: 24 };
    Grid::new(shape, Affine::from_rows(rows).unwrap(), FrameId::new("f")).unwrap()
}

fn in_ball(grid: &Grid, at: Index3, centre: Index3) -> bool {
    grid.center(at).distance(grid.center(centre)) < 8.0
}

fn series(modality: &str) -> LoadedSeries {
    let grid = grid();
    let ball = |at| in_ball(&grid, at, FIRST) || in_ball(&grid, at, SECOND);
    LoadedSeries {
        image: Volume::from_fn(grid.clone(), |at| if ball(at) { 90.0 } else { 0.0 }),
        unit: "HU",
        sop_instance_uids: Vec::new(),
        role: "ct_portal_venous".to_owned(),
        description: "portal".to_owned(),
        modality: modality.to_owned(),
    }
}

/// The first ball is outlined already.
fn found() -> Found {
    let grid = grid();
    let lesion_map = LabelMap::from_fn(grid.clone(), |at| u16::from(in_ball(&grid, at, FIRST)) * 4);
    let lesions = crate::stages::segment::instances(&lesion_map, |_| (Organ::Unknown, LesionKind::Lesion));
    let organ = Some(lesion_map.map(|label| *label != 0));
    Found { organ, lesions, lesion_map, ..Found::nothing(&grid, "imported_mask") }
}

fn seed(name: &str, at: Index3) -> SeedRecord {
    SeedRecord {
        line: 2,
        patient_id: "A-1".to_owned(),
        lesion_id: name.to_owned(),
        visit: oncology::VisitId::first(date(2020, 5, 4)),
        point: grid().center(at),
        organ: "liver".to_owned(),
        role: "target".to_owned(),
    }
}

fn seeds() -> Vec<SeedRecord> {
    vec![seed("T1", FIRST), seed("T2", SECOND), seed("T3", NOTHING)]
}

fn outlined(seeds: &[SeedRecord], series: &LoadedSeries) -> (Found, Doubted, Vec<Note>) {
    let (mut found, mut notes) = (found(), Vec::new());
    let network = network();
    let ask = |prompts: &[Prompt], _: &mut Vec<Note>| ask(&network, series, prompts);
    let marks = Marks { seeds, max_distance_mm: 5.0 };
    let doubted = outline(marks, series, (network.card(), &ask), &mut found, &mut notes).unwrap();
    (found, doubted, notes)
}

#[test]
fn a_mark_without_an_outline_gets_one_and_where_nothing_is_it_stays_unmeasured() {
    let (mut found, doubted, mut notes) = outlined(&seeds(), &series("CT"));
    let codes: Vec<(&str, &str)> = notes.iter().map(|n| (n.code.as_str(), n.subject.as_str())).collect();
    assert_eq!(codes, [("outlined_from_mark", "T2")]);
    assert!(notes[0].message.contains("the network prompted-0.1.0"), "{}", notes[0].message);
    assert_eq!((found.source.as_str(), found.outlined_by[&5].as_str()), ("imported_mask", "model:prompted-0.1.0"));
    assert_eq!(found.lesions.iter().map(|l| l.label).collect::<Vec<_>>(), [4, 5]);
    let grid = grid();
    let wrong = found.lesion_map.values().iter().enumerate().filter(|(n, label)| {
        let at = found.lesion_map.shape().index(*n);
        (**label == 5) != in_ball(&grid, at, SECOND) || (**label == 4) != in_ball(&grid, at, FIRST)
    });
    let (n_wrong, n_set) = (wrong.count(), found.lesion_map.values().iter().filter(|label| **label == 5).count());
    assert!(n_wrong * 10 < n_set, "{n_wrong} of {n_set}");
    assert!(*found.organ.as_ref().unwrap().at(SECOND), "the reader says that it lies in the liver");
    let mut marked = lay(&seeds(), &mut found, 5.0, &mut notes);
    crate::stages::marks::say_why(&doubted, &mut marked, &mut notes);
    let names: Vec<(u16, &str)> = marked.by_label.iter().map(|(label, mark)| (*label, mark.name.as_str())).collect();
    assert_eq!(names, [(4, "T1"), (5, "T2")]);
    assert_eq!(found.lesions[1].organ, Organ::Liver);
    let reason = &marked.unmeasured[0].reason;
    assert!(
        reason.starts_with("seen by the reader, not measured") && reason.contains("no lesion found under the point"),
        "{reason}"
    );
    let codes: Vec<(&str, &str)> = notes.iter().map(|n| (n.code.as_str(), n.subject.as_str())).collect();
    assert_eq!(codes, [("outlined_from_mark", "T2"), ("mark_outline_not_trusted", "T3")]);
}

#[test]
fn two_marks_in_one_lesion_are_not_measured() {
    let beside = Index3 { i: SECOND.i + 4, j: SECOND.j - 2, k: SECOND.k + 1 };
    let both = [seed("T2", SECOND), seed("T4", beside)];
    let (found, doubted, notes) = outlined(&both, &series("CT"));
    assert_eq!((found.lesions.len(), notes.len()), (1, 0));
    assert_eq!(doubted.keys().collect::<Vec<_>>(), ["T2", "T4"], "{doubted:?}");
}

#[test]
fn a_series_of_another_modality_leaves_its_marks_unmeasured_and_without_an_open_mark_nothing_changes() {
    let (found, doubted, _) = outlined(&seeds(), &series("MR"));
    assert_eq!((found.lesions.len(), doubted.len()), (1, 2));
    assert!(doubted["T2"].contains("was made for CT"), "{doubted:?}");
    for seeds in [seeds()[..1].to_vec(), Vec::new()] {
        let (found, doubted, notes) = outlined(&seeds, &series("CT"));
        assert_eq!((notes.len(), found.lesions.len(), doubted.len()), (0, 1, 0));
    }
}
