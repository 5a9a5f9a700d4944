//! Two hundred damaged files of each kind, and bombs: each ends in a value or an error, soon, and without much memory.
#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests may unwrap and touch files")]

use std::cell::Cell;
use std::fs;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use imaging::FrameId;
use lesiontrace_formats::dicom::header::read_headers;
use lesiontrace_formats::dicom::{SuvOptions, read_series};
use lesiontrace_formats::nifti;
use testkit::damage::damaged;
use testkit::dicom_bytes::{DEFLATED, element, file, header, number, open_sequence};
use testkit::seeds;

#[path = "hostile/allocations.rs"]
#[expect(unreachable_pub, reason = "the same in all files of the folder")]
mod allocations;
#[path = "hostile/readers.rs"]
#[expect(unreachable_pub, reason = "the fuzz targets use the same file from outside")]
mod readers;
#[path = "hostile/secrets.rs"]
#[expect(unreachable_pub, reason = "the fuzz targets use the same file from outside")]
mod secrets;

#[global_allocator]
static ALLOCATOR: allocations::Counting = allocations::Counting;

/// Tests take turns where all run in one process: the memory counted is that of one of them.
static TURN: Mutex<()> = Mutex::new(());

/// Damaged files of each kind.
const N_DAMAGED: u64 = 200;

/// No file of a few kilobytes may take longer, also on a machine that does other things.
const PATIENCE: Duration = Duration::from_secs(5);

/// Bytes that reading a file may take at most beyond [`PER_BYTE`] for each of its own. The most seen is 38 MiB, for an image whose
/// damaged header promises so many pixels, and 7 MiB for all other kinds.
const MEMORY: usize = 64 << 20;

/// Bytes of memory for each byte of a file: an element of eight bytes becomes a value of some hundred.
const PER_BYTE: usize = 256;

/// Bytes that a bomb may take: a deflated data set may unpack to 256 MiB whatever its size, into memory that grows by doubling.
const BOMB_MEMORY: usize = (512 << 20) + MEMORY;

/// [`read_damaged`], where some of the damage must be noticed.
fn damage_all(name: &str, whole: &[Vec<u8>], read: impl Fn(&Path) -> bool) {
    assert!(read_damaged(name, whole, read) < N_DAMAGED, "{name}: damage that no reader notices is none");
}

/// Reads the seeds whole, then 200 damaged copies of them. `name` is the file's name; `read` says whether it could be read.
/// How many of the copies could.
fn read_damaged(name: &str, whole: &[Vec<u8>], read: impl Fn(&Path) -> bool) -> u64 {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = tempfile::tempdir().unwrap();
    // Each in a folder of its own: what is known of an archive is kept by its path.
    let put = |number: String, bytes: &[u8]| {
        let path = folder.path().join(number).join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    };
    for (n, bytes) in whole.iter().enumerate() {
        assert!(read(&put(format!("seed-{n}"), bytes)), "{name}: seed {n} is whole and must be read");
    }
    let (mut n_read, mut most) = (0, 0);
    for number in 0..N_DAMAGED {
        let path = put(number.to_string(), &damaged(&whole[number as usize % whole.len()], number));
        let begun = Instant::now();
        let (result, taken) = allocations::peak_of(|| catch_unwind(AssertUnwindSafe(|| read(&path))));
        assert!(begun.elapsed() < PATIENCE, "{name} damaged by {number} took {:?}", begun.elapsed());
        let allowed = MEMORY + PER_BYTE * fs::metadata(&path).unwrap().len() as usize;
        assert!(
            taken <= allowed,
            "{name} damaged by {number} took {taken} bytes of memory, expected at most {allowed}"
        );
        most = most.max(taken);
        n_read += u64::from(result.unwrap_or_else(|_| panic!("{name} damaged by {number} made the reader panic")));
    }
    println!("{name}: {n_read} of {N_DAMAGED} could be read, with at most {} KiB of memory", most >> 10);
    n_read
}

#[test]
fn images() {
    damage_all("slice.dcm", &seeds::images(), |path| readers::image(path, &[]));
}

#[test]
fn compressed_images() {
    damage_all("slice.dcm", &seeds::compressed_images(), |path| readers::image(path, &[]));
}

#[test]
fn segmentations() {
    damage_all("seg.dcm", &seeds::segmentations(), readers::segmentation);
}

#[test]
fn structure_sets() {
    damage_all("rtstruct.dcm", &seeds::structure_sets(), readers::structure_set);
}

#[test]
fn doses() {
    damage_all("dose.dcm", &seeds::doses(), readers::dose);
}

#[test]
fn measurement_reports() {
    damage_all("sr.dcm", &seeds::reports(), readers::report);
}

#[test]
fn niftis() {
    damage_all("image.nii", &seeds::niftis(), readers::nifti_image);
}

#[test]
fn nrrds() {
    damage_all("image.nrrd", &seeds::nrrds(), readers::nrrd_image);
}

/// A detached header with whole data beside it, and whole headers with damaged data.
#[test]
fn nrrds_in_two_files() {
    let (headers, data): (Vec<_>, Vec<_>) = seeds::nrrds_in_two_files().into_iter().unzip();
    damage_all("image.nhdr", &headers, |path| {
        for (name, bytes) in ["image.raw", "image.raw.gz"].into_iter().zip(&data) {
            fs::write(path.with_file_name(name), bytes).unwrap();
        }
        readers::nrrd_image(path)
    });
    for (name, header, data) in [("image.raw", &headers[0], &data[0]), ("image.raw.gz", &headers[1], &data[1])] {
        damage_all(name, std::slice::from_ref(data), |path| {
            let header_path = path.with_file_name("image.nhdr");
            fs::write(&header_path, header).unwrap();
            readers::nrrd_image(&header_path)
        });
    }
}

#[test]
fn zip_archives() {
    damage_all("P1.zip", &seeds::zips(), readers::archive);
}

#[test]
fn files_within_whole_zip_archives() {
    let within: Vec<Vec<u8>> = [seeds::images(), seeds::niftis()].concat();
    // The damage is done before the archive is made: no checksum stops it.
    read_damaged("input", &within, |path| {
        let zip = path.with_extension("zip");
        fs::write(&zip, seeds::archive_of(&fs::read(path).unwrap())).unwrap();
        readers::archive(&zip)
    });
}

#[test]
fn de_identification_of_damaged_files_tells_no_name() {
    let kinds = [seeds::images(), seeds::segmentations(), seeds::structure_sets(), seeds::doses(), seeds::reports()];
    let n_checked = Cell::new(0);
    damage_all("in/input.dcm", &kinds.concat(), |path| {
        let folder = path.ancestors().nth(2).unwrap();
        let is_written = secrets::deidentified(folder);
        n_checked.set(n_checked.get() + usize::from(is_written && secrets::check_secrets(folder)));
        is_written
    });
    assert!(n_checked.get() > kinds.concat().len(), "the secret was looked for in {} files", n_checked.get());
}

#[test]
fn clinical_tables() {
    // The table of an archive of NIfTI files is read by the index, which says so only where there are files.
    for (name, text) in seeds::clinical_tables() {
        let whole = [text.as_bytes().to_vec()];
        let n_read = read_damaged(name, &whole, |path| readers::clinical(path.parent().unwrap()));
        assert!(n_read < N_DAMAGED || name == "series.csv", "{name}: damage that no reader notices is none");
    }
}

#[test]
fn series_rules() {
    let rules = include_bytes!("../../../configs/series/default.toml").to_vec();
    damage_all("rules.toml", &[rules], |path| fs::read_to_string(path).is_ok_and(|text| readers::series_rules(&text)));
}

/// The whole of `bytes` with the first `old` replaced.
fn with(bytes: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    let at = bytes.windows(old.len()).position(|w| w == old).expect("the seed holds what is replaced");
    [&bytes[..at], new, &bytes[at + old.len()..]].concat()
}

/// The error or note of a file that must not be read, which must come at once.
fn refusal(path: &Path, bytes: &[u8]) -> String {
    fs::write(path, bytes).unwrap();
    let begun = Instant::now();
    let (reason, taken) = allocations::peak_of(|| match read_headers(path) {
        Err(error) => error.to_string(),
        Ok(headers) => read_series(&headers, &SuvOptions::STANDARD).unwrap_err().to_string(),
    });
    assert!(begun.elapsed() < PATIENCE, "{reason}: took {:?}", begun.elapsed());
    assert!(taken <= BOMB_MEMORY, "{reason}: took {taken} bytes of memory, expected at most {BOMB_MEMORY}");
    reason
}

#[test]
fn bombs_are_refused_early_and_say_what_they_claim() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bomb.dcm");
    let whole = seeds::ct_slice(0);
    let rows = |n: u16| number(0x0028_0010, n);
    let columns = |n: u16| number(0x0028_0011, n);

    // 65535 x 65535 pixels of no bits: no byte of the file is asked for.
    let huge = with(&with(&whole, &rows(3), &rows(65_535)), &columns(4), &columns(65_535));
    assert!(refusal(&path, &huge).contains("truncated"));
    let of_no_bits = with(&huge, &number(0x0028_0100, 16), &number(0x0028_0100, 0));
    let reason = refusal(&path, &of_no_bits);
    assert!(reason.contains("65535 x 65535 x 1 voxels is more than the 1073741824 of any image"), "{reason}");
    let of_no_bits = with(&whole, &number(0x0028_0100, 16), &number(0x0028_0100, 0));
    assert!(refusal(&path, &of_no_bits).contains("unsupported form"));

    // Compressed pixels that a thousand bytes cannot hold.
    let code = seeds::compressed_slice("1.2.840.10008.1.2.5", (8192, 8192), 16, &[0; 64]);
    assert!(refusal(&path, &code).contains("bytes cannot hold"), "{}", refusal(&path, &code));

    // A thousand million frames, alone and with functional groups.
    let frames = [element(0x0028_0008, "IS", "999999999"), rows(3)].concat();
    let reason = refusal(&path, &with(&whole, &rows(3), &frames));
    assert!(reason.contains("999999999 frames without functional groups"), "{reason}");
    let enhanced = &seeds::images()[5];
    let many = with(enhanced, &element(0x0028_0008, "IS", "2"), &element(0x0028_0008, "IS", "65000"));
    let reason = refusal(&path, &many);
    assert!(reason.contains("65000 frames without functional groups"), "{reason}");

    // Sequences as deep as the file is long.
    let deep = (0..5000).fold(Vec::new(), |inner, _| open_sequence(0x0040_A730, &inner));
    let deep = with(&whole, &rows(3), &[deep, rows(3)].concat());
    assert!(refusal(&path, &deep).contains("nested more than 32 deep"));
}

#[test]
fn deflated_bombs_are_refused() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bomb.dcm");
    let zeros = vec![0; 1_000_000];
    // 300 MB of zeros in 300 kB, as one private element before the pixels, and as the pixels.
    for tag in [0x0009_1001, 0x7FE0_0010] {
        let mut packed = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
        let slice = seeds::ct_slice(0);
        let data_set_at = slice.windows(6).position(|w| w == [8, 0, 5, 0, b'C', b'S']).unwrap();
        let pixels_at = slice.windows(4).rposition(|w| w == [0xE0, 0x7F, 0x10, 0x00]).unwrap();
        packed.write_all(&slice[data_set_at..pixels_at]).unwrap();
        packed.write_all(&header(tag, "OB", 300_000_000)).unwrap();
        for _ in 0..300 {
            packed.write_all(&zeros).unwrap();
        }
        let reason = refusal(&path, &file(DEFLATED, "1.2", &packed.finish().unwrap()));
        let expected = if tag == 0x7FE0_0010 { "inflate to more than" } else { "claims 300000000 bytes" };
        assert!(reason.contains(expected), "{reason}");
    }
}

#[test]
fn a_gzipped_nifti_that_claims_more_than_it_can_hold_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bomb.nii.gz");
    let mut nifti = seeds::niftis()[0].clone();
    for at in [42, 44, 46] {
        nifti[at..at + 2].copy_from_slice(&32_767_i16.to_le_bytes());
    }
    let frame = || FrameId::new("f");
    for (bytes, expected) in
        [(nifti.clone(), "no image has more than"), (seeds::gzip_stored(&nifti), "no image has more")]
    {
        fs::write(&path, bytes).unwrap();
        let error = nifti::read_image(&path, frame()).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    nifti[44..46].copy_from_slice(&1024_i16.to_le_bytes());
    nifti[46..48].copy_from_slice(&8_i16.to_le_bytes());
    fs::write(&path, seeds::gzip_stored(&nifti)).unwrap();
    let error = nifti::read_image(&path, frame()).unwrap_err().to_string();
    assert!(error.contains("cannot hold its 268427264 voxels"), "{error}");
}
