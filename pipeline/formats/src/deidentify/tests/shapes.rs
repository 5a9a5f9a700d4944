//! Archives that are no folder of DICOM files: zip archives, NIfTI and NRRD by folders or by a table, BIDS trees.

use std::io::Write as _;

use imaging::Point;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::*;
use crate::image_file::read_image;
use crate::nifti::{write_image, write_labels};

fn zip_of(folder: &Path, to: &Path) {
    let mut writer = ZipWriter::new(std::fs::File::create(to).unwrap());
    for (name, bytes) in files(folder) {
        writer.start_file(format!("SECRET/{name}"), SimpleFileOptions::default()).unwrap();
        writer.write_all(&bytes).unwrap();
    }
    writer.finish().unwrap();
}

#[test]
fn a_zip_archive_gives_the_copy_of_the_files_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let [loose, zipped] = ["loose", "zipped"].map(|name| folder.path().join(name));
    ct(&loose.join("SECRET/1"), "SECRET 1", date(2020, 3, 2));
    ct(&loose.join("SECRET/2"), "SECRET 1", date(2021, 3, 2));
    std::fs::create_dir_all(loose.join("clinical")).unwrap();
    std::fs::write(loose.join("clinical/patients.csv"), "patient_id,diagnosis\nSECRET 1,HCC\n").unwrap();
    std::fs::create_dir_all(&zipped).unwrap();
    zip_of(&loose.join("SECRET"), &zipped.join("SECRET.zip"));
    std::fs::create_dir_all(zipped.join("clinical")).unwrap();
    std::fs::copy(loose.join("clinical/patients.csv"), zipped.join("clinical/patients.csv")).unwrap();
    std::fs::write(zipped.join("SECRET cut.zip"), "PK\x03\x04").unwrap();
    let whole = folder.path().join("whole.zip");
    let mut writer = ZipWriter::new(std::fs::File::create(&whole).unwrap());
    for (name, bytes) in files(&loose) {
        writer.start_file(name, SimpleFileOptions::default()).unwrap();
        writer.write_all(&bytes).unwrap();
    }
    writer.start_file("SECRET inner.zip", SimpleFileOptions::default()).unwrap();
    writer.finish().unwrap();
    let key = Key::from_bytes([5; 32]);
    let copy = |archive: &Path, name: &str| {
        let out = folder.path().join(name);
        let report = deidentify(&request(archive, &out, &key)).unwrap();
        assert_no_secret(serde_json::to_string(&report).unwrap().as_bytes(), name);
        (files(&out), report)
    };
    let (expected, report) = copy(&loose, "a");
    assert_eq!((report.n_written, report.tables.len(), report.zip_left_out.len()), (4, 1, 0));
    for (archive, name, reason) in [(&zipped, "b", "cannot be read"), (&whole, "c", "inside a zip archive")] {
        let (got, report) = copy(archive, name);
        assert!(got == expected, "{name}");
        assert_eq!(report.n_other_files, 0);
        let told: Vec<(&&str, &usize)> = report.zip_left_out.iter().collect();
        assert!(matches!(told.as_slice(), [(said, 1)] if said.contains(reason)), "{told:?}");
    }
}

fn oblique(frame: &str) -> Volume<f32> {
    let turn = *nalgebra::Rotation3::from_euler_angles(0.3, -0.2, 0.5).matrix();
    let shape = Shape { ni: 5, nj: 4, nk: 3 };
    let grid =
        Grid::from_directions(shape, Point::new(-101.5, 37.25, 812.0), [0.75, 0.8, 2.5], turn, FrameId::new(frame));
    Volume::from_fn(grid.unwrap(), |at| at.i as f32 + 10.0 * at.j as f32 - 80.0)
}

fn is_packed(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|e| e == "gz")
}

/// An image with a secret in its header.
fn image(root: &Path, file: &str) {
    let path = root.join(file);
    write_image(&path, &oblique("f")).unwrap();
    let bytes = crate::stored::read(&path).unwrap();
    let mut plain = Vec::new();
    if is_packed(file) {
        flate2::read::MultiGzDecoder::new(bytes.as_slice()).read_to_end(&mut plain).unwrap();
    } else {
        plain = bytes;
    }
    plain[148..154].copy_from_slice(b"SECRET");
    plain.extend(b"SECRET");
    if is_packed(file) {
        let builder = flate2::GzBuilder::new().filename("SECRET").comment("SECRET").mtime(1_234_567);
        let mut packed = builder.write(std::fs::File::create(&path).unwrap(), flate2::Compression::fast());
        packed.write_all(&plain).unwrap();
        packed.finish().unwrap();
    } else {
        std::fs::write(&path, plain).unwrap();
    }
}

fn text(root: &Path, file: &str, text: &str) {
    let path = root.join(file);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// No secret in a name, in the bytes, or in what they unpack to.
fn assert_clean(out: &Path) {
    for (name, bytes) in files(out) {
        assert_no_secret(name.as_bytes(), &name);
        assert_no_secret(&bytes, &name);
        let mut plain = Vec::new();
        if is_packed(&name) {
            flate2::read::MultiGzDecoder::new(bytes.as_slice()).read_to_end(&mut plain).unwrap();
            assert_eq!(&bytes[3..8], &[0; 5], "neither name nor time of the file: {name}");
        }
        assert_no_secret(&plain, &name);
    }
}

/// Days since the first, role and rank of every series; whether all are usable.
fn courses(root: &Path) -> Vec<(i32, String, u32, bool)> {
    let index = crate::archive::index(root).unwrap().value;
    let of_patient = |patient: &crate::archive::PatientImages| {
        let first = patient.timepoints[0].study_date.unwrap();
        let row = move |row: &crate::archive::IndexRow| {
            ((row.study_date.unwrap() - first).get_days(), row.role.to_string(), row.rank, row.usable)
        };
        patient.timepoints.iter().flat_map(|t| &t.series).map(|s| row(&s.row)).collect::<Vec<_>>()
    };
    let mut courses: Vec<_> = index.patients.iter().flat_map(of_patient).collect();
    courses.sort();
    courses
}

fn bids(root: &Path) {
    for file in [
        "sub-SECRET7/ses-20200302/ct/sub-SECRET7_ses-20200302_acq-portalvenous_ct.nii.gz",
        "sub-SECRET7/ses-SECRET/ct/sub-SECRET7_ses-SECRET_acq-portalvenous_rec-SECRET_ct.nii.gz",
        "sub-SECRET7/ses-SECRET/anat/sub-SECRET7_ses-SECRET_T1w.nii",
        "sub-8/anat/sub-8_T2w.nii.gz",
        "sub-8/SECRET.nii.gz",
    ] {
        image(root, file);
    }
    let labels = oblique("f").map(|v| u16::from(*v > -60.0));
    let map =
        "derivatives/SECRET/sub-SECRET7/ses-20200302/ct/sub-SECRET7_ses-20200302_acq-portalvenous_desc-lesion_dseg";
    write_labels(&root.join(format!("{map}.nii.gz")), &labels).unwrap();
    text(root, &format!("{map}.tsv"), "index\tname\n1\tLesion SECRET\n");
    text(
        root,
        "sub-SECRET7/sub-SECRET7_sessions.tsv",
        "session_id\tacq_time\toperator\nses-SECRET\t2020-05-11T10:00:00\tSECRET\n",
    );
    text(
        root,
        "sub-SECRET7/ses-SECRET/sub-SECRET7_ses-SECRET_scans.tsv",
        "filename\tacq_time\tnote\nanat/sub-SECRET7_ses-SECRET_T1w.nii\t2020-05-12T11:30:00\tSECRET\nSECRET.nii\t1999-09-09\t\n",
    );
    text(root, "sub-8/sub-8_scans.tsv", "filename\tacq_time\nanat/sub-8_T2w.nii.gz\t2020-03-02\n");
    text(root, "sub-8/anat/sub-8_T2w.json", "{\"EchoTime\": 0.08, \"InstitutionName\": \"SECRET\"}");
    text(
        root,
        "participants.tsv",
        "participant_id\tage\tsite\tscan_date\nsub-SECRET7\t93\tSECRET\t2020-03-02\nsub-8\tn/a\tx\tn/a\n",
    );
    text(root, "README", "SECRET");
    text(
        root,
        "dataset_description.json",
        "{\"Name\": \"SECRET\", \"BIDSVersion\": \"1.8.0\", \"Authors\": [\"SECRET\"]}",
    );
}

#[test]
fn a_bids_tree_stays_one_with_its_roles_intervals_and_derivatives() {
    let folder = tempfile::tempdir().unwrap();
    let (archive, out) = (folder.path().join("in"), folder.path().join("out"));
    bids(&archive);
    let key = Key::from_bytes([5; 32]);
    let report = deidentify(&request(&archive, &out, &key)).unwrap();
    assert_no_secret(serde_json::to_string(&report).unwrap().as_bytes(), "the report");
    let images = &report.images;
    assert_eq!((images.n_written, images.n_sidecars, images.n_tables), (5, 2, 3), "{images:?}");
    assert_eq!((images.left_out["neither patient nor date"], report.n_other_files), (1, 2));
    assert_clean(&out);
    let before = courses(&archive);
    assert_eq!(before.len(), 4);
    assert_eq!(courses(&out), before);
    let moved = |day: Date, id: &str| day.checked_add(jiff::Span::new().days(key.shift_days(id))).unwrap();
    let pseudonym = key.patient("SECRET7");
    let session = moved(date(2020, 3, 2), "SECRET7").strftime("%Y%m%d").to_string();
    let place = format!("sub-{pseudonym}/ses-{session}/ct/sub-{pseudonym}_ses-{session}_acq-portalvenous_ct.nii.gz");
    let copy = read_image(&out.join(&place), FrameId::new("f")).unwrap();
    assert!(copy.grid().max_distance_mm(oblique("f").grid()) < 1e-4 && copy.values() == oblique("f").values());
    let text = |file: &str| std::fs::read_to_string(out.join(file)).unwrap();
    let day = moved(date(2020, 3, 2), "SECRET7");
    let people = text("participants.tsv");
    assert!(people.starts_with("participant_id\tage\tscan_date\n"), "{people}");
    assert!(people.contains(&format!("sub-{pseudonym}\t90\t{day}\n")), "{people}");
    assert!(people.contains(&format!("sub-{}\tn/a\tn/a\n", key.patient("8"))), "{people}");
    let kept = text(&format!("sub-{0}/anat/sub-{0}_T2w.json", key.patient("8")));
    assert_eq!(kept, "{\n  \"EchoTime\": 0.08\n}\n");
    let index = crate::archive::index(&out).unwrap().value;
    let images = index.series().map(|s| (s.row.series_uid.as_str(), s.row.study_date.unwrap()));
    let maps = crate::nifti_archive::derivatives::find(&out, &index.nifti_files, images).value;
    assert!(maps.len() == 1 && maps[0].is_of(&place) && maps[0].label == "lesion", "{maps:?}");
    assert!(maps[0].names[&1].starts_with("Lesion xx L-"), "{:?}", maps[0].names);
    let first = files(&out);
    let again = deidentify(&request(&archive, &out, &key)).unwrap();
    assert!(files(&out) == first && again == report && again.n_stale_files == 0);
    let twice = folder.path().join("twice");
    deidentify(&request(&out, &twice, &key)).unwrap();
    assert_eq!(courses(&twice), before, "a copy can be copied");
}

#[test]
fn images_placed_by_folders_or_by_a_table_keep_role_unit_frame_and_days() {
    let folder = tempfile::tempdir().unwrap();
    let key = Key::from_bytes([5; 32]);
    let by_folder = folder.path().join("folders");
    image(&by_folder, "SECRET%201/2020-03-02/ct_portal_venous.nii.gz");
    image(&by_folder, "SECRET%201/2020-05-11/pet_suvbw.nii.gz");
    let nrrd = "NRRD0005\n# SECRET\ntype: short\ndimension: 3\nspace: LPS\nsizes: 2 2 2\nspace directions: (1,0,0) (0,1,0) (0,0,2)\nendian: little\nencoding: raw\nspace origin: (1,2,3)\nname:=SECRET\n\n0123456789abcdef";
    text(&by_folder, "SECRET%201/2020-05-11/mr_t1.nrrd", nrrd);
    let by_table = folder.path().join("table");
    for file in ["SECRET/a.nii.gz", "SECRET/b.nii", "SECRET/c.nii"] {
        image(&by_table, file);
    }
    let table = "file,patient_id,study_date,role,unit,frame,description\n\
        SECRET/a.nii.gz,=SECRET,2020-03-02,ct_portal_venous,HU,SECRET,portal SECRET\n\
        SECRET/b.nii,=SECRET,2020-03-02,ct_arterial,HU,SECRET,\n\
        SECRET/c.nii,=SECRET,2020-05-11,mr_t2,,,\n";
    text(&by_table, "series.csv", table);
    for (archive, n_tables) in [(&by_folder, 0), (&by_table, 1)] {
        let out = folder.path().join(format!("out{n_tables}"));
        let report = deidentify(&request(archive, &out, &key)).unwrap();
        assert_eq!((report.images.n_written, report.images.n_tables, report.n_other_files), (3, n_tables, 0));
        assert_clean(&out);
        assert_eq!(courses(&out), courses(archive));
    }
    let index = crate::archive::index(&folder.path().join("out1")).unwrap().value;
    let frames: BTreeSet<_> = index.series().map(|s| s.nifti.clone().unwrap().frame.to_string()).collect();
    assert_eq!((frames.len(), index.problems.len()), (2, 0), "two files share their frame");
    assert!(index.series().any(|s| s.row.description == "portal xx"));
}

#[test]
fn tables_of_the_copy_hold_no_formula() {
    let folder = tempfile::tempdir().unwrap();
    let (archive, out) = (folder.path().join("in"), folder.path().join("out"));
    ct(&archive.join("a"), "A", date(2020, 3, 2));
    text(&archive, "clinical/patients.csv", "patient_id,diagnosis,=cmd()\nA,=HYPERLINK(1),-3\n");
    text(&archive, "clinical/treatments.csv", "patient_id,date,session,modality\nA,2020-03-20,@SUM(1),MWA\n");
    deidentify(&request(&archive, &out, &Key::from_bytes([5; 32]))).unwrap();
    let read = |name: &str| std::fs::read_to_string(out.join("clinical").join(name)).unwrap();
    assert!(read("patients.csv").starts_with("patient_id,diagnosis,'=cmd()\n"), "{}", read("patients.csv"));
    assert!(read("patients.csv").ends_with(",'=HYPERLINK(1),-3\n"), "{}", read("patients.csv"));
    assert!(read("treatments.csv").contains(",'@SUM(1),MWA"), "{}", read("treatments.csv"));
}
