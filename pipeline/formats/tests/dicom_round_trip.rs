//! A volume written as a DICOM series, indexed and stacked again: an oblique, anisotropic, off-centre one, because symmetry
//! hides flips; and everything that can be wrong with a folder of files.
#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests may unwrap and touch files")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use imaging::{FrameId, Grid, Index3, Point, Shape, Volume};
use jiff::civil::{DateTime, date};
use lesiontrace_formats::archive::{ArchiveIndex, index};
use lesiontrace_formats::dicom::pixel_offset::PixelPlace;
use lesiontrace_formats::dicom::{
    Contrast, GeometryError, ImageVolume, ModalityToWrite, PetToWrite, SeriesError, SeriesRole, SeriesToWrite,
    SliceHeader, SuvOptions, derived_uid, open_series, read_series, write_series,
};
use nalgebra::Rotation3;

fn oblique_grid(shape: Shape) -> Grid {
    let directions = *Rotation3::from_euler_angles(0.21, -0.13, 0.37).matrix();
    let frame = FrameId::new(derived_uid(&["frame", "round trip"]));
    Grid::from_directions(shape, Point::new(-113.37, 41.9, 612.123_456_7), [0.71, 0.93, 3.3], directions, frame)
        .unwrap()
}

/// Whole numbers without any symmetry, negative ones among them.
fn ramp(grid: Grid) -> Volume<f32> {
    Volume::from_fn(grid, |Index3 { i, j, k }| (i * 3 + j * 17 + k * 101) as f32 - 1000.0)
}

fn at() -> DateTime {
    date(2021, 3, 4).at(10, 11, 12, 0)
}

fn ct<'a>(volume: &'a Volume<f32>, patient_id: &str, description: &str) -> SeriesToWrite<'a> {
    let series_uid = derived_uid(&[patient_id, description]);
    SeriesToWrite {
        volume,
        modality: ModalityToWrite::Ct {
            kvp: 120.0,
            contrast: Some(Contrast { agent: "Iomeprol".into(), route: "IV".into(), start_time: None }),
        },
        patient_id: patient_id.into(),
        patient_sex: Some("F".into()),
        patient_weight_kg: Some(70.0),
        patient_height_m: None,
        study_uid: derived_uid(&[patient_id, "study"]),
        sop_instance_uids: (0..volume.shape().nk).map(|k| derived_uid(&[&series_uid, &k.to_string()])).collect(),
        series_uid,
        study_datetime: at(),
        acquisition_datetime: at(),
        study_description: "CT liver".into(),
        series_description: description.into(),
        series_number: 3,
        slice_thickness_mm: 3.3,
        image_type: vec!["ORIGINAL".into(), "PRIMARY".into(), "AXIAL".into()],
        manufacturer: "lesiontrace".into(),
    }
}

const SHAPE: Shape = Shape { ni: 7, nj: 5, nk: 6 };

fn only_series(archive: &ArchiveIndex) -> Vec<SliceHeader> {
    let series: Vec<_> = archive.series().collect();
    assert_eq!(series.len(), 1);
    series[0].headers.unpack()
}

fn written(dir: &Path) -> Vec<PathBuf> {
    let volume = ramp(oblique_grid(SHAPE));
    write_series(dir, &ct(&volume, "P1", "portal venous")).unwrap()
}

#[test]
fn oblique_ct_comes_back_with_its_geometry_and_voxels() {
    let dir = tempfile::tempdir().unwrap();
    let volume = ramp(oblique_grid(SHAPE));
    let series = ct(&volume, "P1", "portal venous 3.0");
    let files = write_series(&dir.path().join("a/b"), &series).unwrap();
    assert_eq!(files[5].file_name().unwrap(), "IM0006.dcm");
    // Shuffled names: the order must come from the positions.
    for (n, file) in files.iter().enumerate() {
        fs::rename(file, dir.path().join(format!("file{}", (n * 7 + 3) % 11))).unwrap();
    }
    fs::write(dir.path().join("readme.txt"), "not an image").unwrap();
    let archive = index(dir.path()).unwrap();
    assert!(archive.notes.is_empty(), "{:?}", archive.notes);
    let archive = archive.value;
    assert_eq!(archive.n_other_files, 1);
    let row = &archive.rows()[0];
    assert_eq!((row.role, row.rank, row.n_slices, row.usable), (SeriesRole::CtPortalVenous, 1, 6, true));
    assert_eq!((row.patient_id.as_str(), row.study_date), ("P1", Some(date(2021, 3, 4))));

    let read = read_series(&only_series(&archive), &SuvOptions::STANDARD).unwrap();
    assert!(read.notes.is_empty(), "{:?}", read.notes);
    let read = read.value;
    assert_eq!(read.volume.unit(), "HU");
    assert_eq!(read.sop_instance_uids, series.sop_instance_uids);
    assert_eq!(read.volume.grid().frame(), volume.grid().frame());
    let (got, want) = (read.volume.grid().voxel_to_patient().to_rows(), volume.grid().voxel_to_patient().to_rows());
    for (g, w) in got.iter().flatten().zip(want.iter().flatten()) {
        assert!((g - w).abs() < 1e-9, "{got:?} {want:?}");
    }
    assert!(read.volume.grid().max_distance_mm(volume.grid()) < 1e-4);
    assert_eq!(read.volume.to_values().values(), volume.values());
}

#[test]
fn slices_given_one_by_one_hold_what_the_volume_holds_and_end_at_one_that_cannot_be_read() {
    let dir = tempfile::tempdir().unwrap();
    let files = written(dir.path());
    let headers = only_series(&index(dir.path()).unwrap().value);
    let whole = read_series(&headers, &SuvOptions::STANDARD).unwrap().value.volume.into_values();
    let opened = open_series(&headers, &SuvOptions::STANDARD).unwrap().value;
    assert_eq!((opened.unit(), opened.modality(), opened.grid()), ("HU", "CT", whole.grid()));
    let seen = Mutex::new(BTreeMap::new());
    assert!(opened.each_slice(|k, slice| seen.lock().unwrap().insert(k, slice.to_vec()).is_none()));
    let slices: Vec<f32> = seen.into_inner().unwrap().into_values().flatten().collect();
    assert_eq!(slices, whole.values());
    assert!(!opened.each_slice(|k, _| k != 4), "the fifth is not taken");
    fs::write(&files[2], fs::read(&files[2]).unwrap().split_at(700).0).unwrap();
    assert!(!opened.each_slice(|_, _| true), "the third ends too soon");
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for (x, y) in written(a.path()).iter().zip(written(b.path())) {
        assert_eq!(fs::read(x).unwrap(), fs::read(y).unwrap());
    }
    let n_files = fs::read_dir(a.path()).unwrap().count();
    assert_eq!(n_files, 6, "no temporary file is left behind");
}

#[test]
fn a_slice_missing_in_the_middle_is_named_with_its_position() {
    let dir = tempfile::tempdir().unwrap();
    let files = written(dir.path());
    fs::remove_file(&files[2]).unwrap();
    let archive = index(dir.path()).unwrap().value;
    let row = &archive.rows()[0];
    assert!(!row.usable && row.reasons[0].contains("1 slice(s) missing at"), "{:?}", row.reasons);
    let grid = oblique_grid(SHAPE);
    let normal = grid.directions().column(2).into_owned();
    let expected = grid.center(Index3 { i: 0, j: 0, k: 2 }).coords.dot(&normal);
    match read_series(&only_series(&archive), &SuvOptions::STANDARD).unwrap_err() {
        SeriesError::Geometry(GeometryError::MissingSlice { position_mm, n_missing: 1, .. }) => {
            assert!((position_mm - expected).abs() < 1e-6);
        }
        other => panic!("{other}"),
    }
}

#[test]
fn truncated_files_make_notes_and_never_a_silent_volume() {
    let dir = tempfile::tempdir().unwrap();
    let files = written(dir.path());
    let whole = fs::read(&files[5]).unwrap();
    // Cut in the pixels: the header is whole, so the series is known and refused.
    fs::write(&files[5], &whole[..whole.len() - 1]).unwrap();
    // Cut in the header: the series is unknown, so the file is a note.
    fs::write(&files[0], &fs::read(&files[0]).unwrap()[..700]).unwrap();
    let noted = index(dir.path()).unwrap();
    assert_eq!(noted.notes.len(), 1, "{:?}", noted.notes);
    assert_eq!((noted.notes[0].code.as_str(), noted.notes[0].subject.as_str()), ("truncated_file", "IM0001.dcm"));
    assert!(noted.notes[0].message.starts_with("IM0001.dcm is damaged or truncated"), "{}", noted.notes[0].message);
    let row = &noted.value.rows()[0];
    assert!(!row.usable && row.reasons[0].contains("IM0006.dcm is truncated"), "{:?}", row.reasons);
    // Every possible cut of a file: never a panic, never a whole header from half a file.
    for length in (0..whole.len()).step_by(37) {
        fs::write(&files[5], &whole[..length]).unwrap();
        if let Ok(Some(header)) = lesiontrace_formats::dicom::header::read_header(&files[5]) {
            assert_eq!(header.pixels, PixelPlace::Truncated, "cut to {length} of {} bytes", whole.len());
        }
    }
}

#[test]
fn two_phases_in_one_series_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let volume = ramp(oblique_grid(SHAPE));
    let mut series = ct(&volume, "P1", "dynamic");
    write_series(&dir.path().join("1"), &series).unwrap();
    series.sop_instance_uids = (0..6).map(|k| derived_uid(&["second phase", &k.to_string()])).collect();
    write_series(&dir.path().join("2"), &series).unwrap();
    let archive = index(dir.path()).unwrap().value;
    let error = read_series(&only_series(&archive), &SuvOptions::STANDARD).unwrap_err();
    assert_eq!(error.code(), "duplicate_position");
    assert!(error.to_string().contains("12 slices lie at only 6 positions"), "{error}");
}

#[test]
fn a_copied_folder_is_counted_once() {
    let dir = tempfile::tempdir().unwrap();
    written(&dir.path().join("original"));
    written(&dir.path().join("copy"));
    let noted = index(dir.path()).unwrap();
    assert_eq!(noted.value.rows()[0].n_slices, 6);
    assert_eq!(noted.notes[0].code, "duplicate_file");
}

#[test]
fn localizers_are_unusable_and_the_best_series_of_a_role_comes_first() {
    let dir = tempfile::tempdir().unwrap();
    let volume = ramp(oblique_grid(SHAPE));
    let small = ramp(oblique_grid(Shape { nk: 3, ..SHAPE }));
    let mut scout = ct(&small, "P1", "Topogram 1.0");
    scout.image_type = vec!["ORIGINAL".into(), "PRIMARY".into(), "LOCALIZER".into()];
    write_series(&dir.path().join("scout"), &scout).unwrap();
    write_series(&dir.path().join("few"), &ct(&small, "P1", "portal few")).unwrap();
    write_series(&dir.path().join("many"), &ct(&volume, "P1", "portal many")).unwrap();
    let archive = index(dir.path()).unwrap().value;
    let rows = archive.rows();
    let seen: Vec<_> = rows.iter().map(|r| (r.description.as_str(), r.role, r.rank, r.usable)).collect();
    assert_eq!(
        seen,
        [
            ("portal many", SeriesRole::CtPortalVenous, 1, true),
            ("portal few", SeriesRole::CtPortalVenous, 2, true),
            ("Topogram 1.0", SeriesRole::Other, 1, false),
        ]
    );
    assert_eq!(rows[2].reasons, ["localizer (Image Type)"]);
}

#[test]
fn a_patient_spelled_twice_is_warned_about_and_kept_apart() {
    let dir = tempfile::tempdir().unwrap();
    let volume = ramp(oblique_grid(SHAPE));
    for (n, id) in ["PAT-007", "pat 7", "PAT-008"].iter().enumerate() {
        write_series(&dir.path().join(n.to_string()), &ct(&volume, id, "arterial")).unwrap();
    }
    let noted = index(dir.path()).unwrap();
    assert_eq!(noted.value.patients.len(), 3);
    assert_eq!(noted.notes.len(), 1);
    assert_eq!(noted.notes[0].code, "patient_spelled_twice");
    assert!(noted.notes[0].message.contains("\"PAT-007\" and \"pat 7\""), "{}", noted.notes[0].message);
}

#[test]
fn pet_keeps_a_slope_per_slice_and_becomes_suv() {
    let dir = tempfile::tempdir().unwrap();
    let grid = oblique_grid(SHAPE);
    // Slices of very different activity: one slope for all would drown the faint ones.
    let volume = Volume::from_fn(grid, |Index3 { i, j, k }| (1 + i + 2 * j) as f32 * 10.0_f32.powi(k as i32));
    let mut series = ct(&volume, "P1", "PET WB");
    series.modality = ModalityToWrite::Pet(Box::new(PetToWrite {
        units: "BQML".into(),
        decay_correction: "START".into(),
        corrected_image: vec!["DECY".into(), "ATTN".into(), "SCAT".into()],
        suv_type: None,
        radiopharmaceutical: "Fluorodeoxyglucose".into(),
        total_dose_bq: 3.7e8,
        half_life_s: 6586.2,
        injection: at().checked_sub(jiff::Span::new().seconds(3600)).unwrap(),
    }));
    write_series(dir.path(), &series).unwrap();
    let headers = only_series(&index(dir.path()).unwrap().value);
    assert_ne!(headers[0].rescale_slope, headers[5].rescale_slope);
    let read = read_series(&headers, &SuvOptions::STANDARD).unwrap().value;
    let ImageVolume::SuvBw(suv) = &read.volume else { panic!("{}", read.volume.unit()) };
    let opened = open_series(&headers, &SuvOptions::STANDARD).unwrap().value;
    let n = SHAPE.ni * SHAPE.nj;
    assert_eq!(opened.unit(), "SUVbw");
    assert!(opened.each_slice(|k, slice| suv.values()[n * k..].iter().zip(slice).all(|(whole, one)| whole.0 == *one)));
    let factor = read.suv.unwrap().factor;
    assert!((factor - 70_000.0 / (3.7e8 * (-3600.0_f64 / 6586.2).exp2())).abs() < 1e-15);
    for (got, want) in suv.values().iter().zip(volume.values()) {
        let want = f64::from(*want) * factor;
        // Half a step of a slice's 16-bit scale: 15 / 32767 / 2 of its smallest value.
        assert!((f64::from(got.0) - want).abs() <= want * 2.5e-4, "{} {want}", got.0);
    }
}

#[test]
fn values_that_do_not_fit_and_names_that_are_no_uids_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let bright = Volume::filled(oblique_grid(SHAPE), 40_000.0_f32);
    let message = write_series(dir.path(), &ct(&bright, "P1", "x")).unwrap_err().to_string();
    assert!(message.contains("40000"), "{message}");
    let volume = ramp(oblique_grid(SHAPE).with_frame(FrameId::new("baseline")));
    let message = write_series(dir.path(), &ct(&volume, "P1", "x")).unwrap_err().to_string();
    assert!(message.contains("Frame of Reference UID"), "{message}");
}
