//! Small whole files of every kind that is read, made here: what damage is done to in tests and where fuzzing begins.
//!
//! They are oblique and anisotropic like everything else, and as small as their kind allows: 4 x 3 pixels a slice.

use crate::dicom_bytes::{
    DEFLATED, EXPLICIT, IMPLICIT, element, file, fragments, implicit, number, open_sequence, sequence,
};

use crate::packed::stored_blocks;

mod messages;
mod nifti;
mod zip;

pub use messages::{answers, associations};
pub use nifti::{gzip_stored, maps, niftis, nrrds, nrrds_in_two_files};
pub use zip::{archive_of, zips};

const CT: &str = "1.2.840.10008.5.1.4.1.1.2";
const PET: &str = "1.2.840.10008.5.1.4.1.1.128";
const ENHANCED_CT: &str = "1.2.840.10008.5.1.4.1.1.2.1";
const SEG: &str = "1.2.840.10008.5.1.4.1.1.66.4";
const RT_DOSE: &str = "1.2.840.10008.5.1.4.1.1.481.2";
const RT_STRUCT: &str = "1.2.840.10008.5.1.4.1.1.481.3";

/// Directions of rows and columns: turned by 30° about z.
const ORIENTATION: &str = "0.86602540378\\0.5\\0\\-0.5\\0.86602540378\\0";

/// Rows and columns of every seed.
pub const ROWS: u16 = 3;
/// Columns of every seed.
pub const COLUMNS: u16 = 4;

fn pixels() -> Vec<u8> {
    (0..ROWS * COLUMNS).flat_map(|n| (n * 37).to_le_bytes()).collect()
}

/// Patient, study and series; the slice at height `k` · 3 mm.
fn identity(class: &str, modality: &str, k: usize) -> Vec<u8> {
    [
        element(0x0008_0005, "CS", "ISO_IR 192"),
        element(0x0008_0008, "CS", "ORIGINAL\\PRIMARY\\AXIAL"),
        element(0x0008_0016, "UI", class),
        element(0x0008_0018, "UI", format!("1.2.3.{}", k + 1)),
        element(0x0008_0020, "DA", "20240301"),
        element(0x0008_0021, "DA", "20240301"),
        element(0x0008_0022, "DA", "20240301"),
        element(0x0008_0031, "TM", "101500"),
        element(0x0008_0032, "TM", "101112.5"),
        element(0x0008_0060, "CS", modality),
        element(0x0008_103E, "LO", "portal venous 3.0"),
        element(0x0010_0020, "LO", "P1"),
        element(0x0010_0040, "CS", "F"),
        element(0x0010_1020, "DS", "1.71"),
        element(0x0010_1030, "DS", "70"),
    ]
    .concat()
}

fn place(k: usize) -> Vec<u8> {
    [
        element(0x0018_0050, "DS", "3"),
        element(0x0020_000D, "UI", "1.2"),
        element(0x0020_000E, "UI", "1.2.4"),
        element(0x0020_0011, "IS", "3"),
        element(0x0020_0013, "IS", format!("{}", k + 1)),
        element(0x0020_0032, "DS", format!("-113.37\\41.9\\{}", 612 + 3 * k)),
        element(0x0020_0037, "DS", ORIENTATION),
        element(0x0020_0052, "UI", "1.2.9"),
    ]
    .concat()
}

fn pixel_form(bits: u16) -> Vec<u8> {
    [
        number(0x0028_0002, 1),
        element(0x0028_0004, "CS", "MONOCHROME2"),
        number(0x0028_0010, ROWS),
        number(0x0028_0011, COLUMNS),
        element(0x0028_0030, "DS", "0.93\\0.71"),
        number(0x0028_0100, bits),
        number(0x0028_0101, bits),
        number(0x0028_0102, bits.saturating_sub(1)),
        number(0x0028_0103, 0),
    ]
    .concat()
}

fn rescale() -> Vec<u8> {
    [element(0x0028_1052, "DS", "-1024"), element(0x0028_1053, "DS", "1")].concat()
}

/// Slice `k` of a CT series: the data set.
fn ct_data_set(k: usize) -> Vec<u8> {
    [identity(CT, "CT", k), place(k), pixel_form(16), rescale(), element(0x7FE0_0010, "OW", pixels())].concat()
}

/// Slice `k` of a CT series.
#[must_use]
pub fn ct_slice(k: usize) -> Vec<u8> {
    file(EXPLICIT, CT, &ct_data_set(k))
}

/// The same, deflated: in stored blocks, so that damage meets the data set and not only the compression.
fn deflated_slice() -> Vec<u8> {
    file(DEFLATED, CT, &stored_blocks(&ct_data_set(0), 256))
}

/// A CT slice without preamble and meta group, in implicit little endian.
fn bare_slice() -> Vec<u8> {
    [
        implicit(0x0008_0016, CT),
        implicit(0x0008_0018, "1.2.3.1"),
        implicit(0x0008_0060, "CT"),
        implicit(0x0010_0020, "P1"),
        implicit(0x0018_0050, "3"),
        implicit(0x0020_000D, "1.2"),
        implicit(0x0020_000E, "1.2.4"),
        implicit(0x0020_0032, "1\\2\\3"),
        implicit(0x0020_0037, ORIENTATION),
        implicit(0x0028_0010, ROWS.to_le_bytes()),
        implicit(0x0028_0011, COLUMNS.to_le_bytes()),
        implicit(0x0028_0030, "1\\1"),
        implicit(0x0028_0100, 16_u16.to_le_bytes()),
        implicit(0x0028_0103, 0_u16.to_le_bytes()),
        implicit(0x0028_1052, "-1024"),
        implicit(0x0028_1053, "1"),
        implicit(0x7FE0_0010, pixels()),
    ]
    .concat()
}

/// A PET slice in Bq/ml with what SUV needs.
fn pet_slice() -> Vec<u8> {
    let tracer = [
        element(0x0018_0031, "LO", "FDG"),
        element(0x0018_1072, "TM", "091112"),
        element(0x0018_1074, "DS", "370000000"),
        element(0x0018_1075, "DS", "6586.2"),
    ]
    .concat();
    let set = [
        identity(PET, "PT", 0),
        element(0x0028_0051, "CS", "DECY\\ATTN"),
        place(0),
        pixel_form(16),
        rescale(),
        sequence(0x0054_0016, &[tracer]),
        element(0x0054_1001, "CS", "BQML"),
        element(0x0054_1102, "CS", "START"),
        element(0x7FE0_0010, "OW", pixels()),
    ];
    file(EXPLICIT, PET, &set.concat())
}

fn frame(k: usize) -> Vec<u8> {
    let position = element(0x0020_0032, "DS", format!("-113.37\\41.9\\{}", 612 + 3 * k));
    let content = element(0x0020_9128, "UL", 1_u32.to_le_bytes());
    [sequence(0x0020_9111, &[content]), sequence(0x0020_9113, &[position])].concat()
}

fn shared() -> Vec<u8> {
    let measures = [element(0x0018_0050, "DS", "3"), element(0x0028_0030, "DS", "0.93\\0.71")].concat();
    [sequence(0x0020_9116, &[element(0x0020_0037, "DS", ORIENTATION)]), open_sequence(0x0028_9110, &measures)].concat()
}

/// An enhanced CT of two frames.
fn enhanced() -> Vec<u8> {
    let set = [
        identity(ENHANCED_CT, "CT", 0),
        place(0),
        element(0x0028_0008, "IS", "2"),
        pixel_form(16),
        rescale(),
        open_sequence(0x5200_9229, &shared()),
        sequence(0x5200_9230, &[frame(0), frame(1)]),
        element(0x7FE0_0010, "OW", [pixels(), pixels()].concat()),
    ];
    file(EXPLICIT, ENHANCED_CT, &set.concat())
}

/// DICOM images: single, deflated, bare, implicit, PET, enhanced.
#[must_use]
pub fn images() -> Vec<Vec<u8>> {
    let implicit_slice = file(IMPLICIT, CT, &bare_slice());
    vec![ct_slice(0), deflated_slice(), bare_slice(), implicit_slice, pet_slice(), enhanced()]
}

/// One compressed slice: transfer syntax, columns, rows, bits and code.
#[must_use]
pub fn compressed_slice(syntax: &str, (columns, rows): (u16, u16), bits: u16, code: &[u8]) -> Vec<u8> {
    let form = [
        number(0x0028_0002, 1),
        element(0x0028_0004, "CS", "MONOCHROME2"),
        number(0x0028_0010, rows),
        number(0x0028_0011, columns),
        element(0x0028_0030, "DS", "0.93\\0.71"),
        number(0x0028_0100, bits),
        number(0x0028_0101, bits),
        number(0x0028_0102, bits.saturating_sub(1)),
        number(0x0028_0103, 0),
    ];
    let set = [identity(CT, "CT", 0), place(0), form.concat(), fragments(&[code.to_vec()])];
    file(syntax, CT, &set.concat())
}

/// Transfer syntaxes of compressed pixels, in the order [`codes`] and the fuzz target number them.
pub const COMPRESSED: [&str; 8] = [
    "1.2.840.10008.1.2.4.80",
    "1.2.840.10008.1.2.4.81",
    "1.2.840.10008.1.2.5",
    "1.2.840.10008.1.2.4.90",
    "1.2.840.10008.1.2.4.50",
    "1.2.840.10008.1.2.4.70",
    "1.2.840.10008.1.2.4.91",
    "1.2.840.10008.1.2.4.201",
];

/// A file of the repository that another program made.
fn oracle(name: &str) -> Vec<u8> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../test_data/oracles").join(name);
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// One code stream: number of its transfer syntax in [`COMPRESSED`], columns and rows, bits of a pixel, code.
pub type Code = (usize, (u16, u16), u16, Vec<u8>);

/// Code streams of every kind that is decoded here or by a crate.
#[must_use]
pub fn codes() -> Vec<Code> {
    let mut rle = vec![0; 64];
    (rle[0], rle[4], rle[8]) = (2, 64, 66);
    rle.extend([(-11_i8) as u8, 1, 11]);
    rle.extend(0..12);
    vec![
        (0, (41, 37), 8, oracle("jpeg_ls/8bit_near0.jls")),
        (0, (41, 37), 16, oracle("jpeg_ls/16bit_near0.jls")),
        (1, (41, 37), 16, oracle("jpeg_ls/12bit_near3.jls")),
        (2, (COLUMNS, ROWS), 16, rle),
        (3, (16, 12), 16, oracle("jpeg/16x12_16bit.j2k")),
        (4, (16, 12), 8, oracle("jpeg/16x12_8bit.jpg")),
    ]
}

/// Compressed DICOM images.
#[must_use]
pub fn compressed_images() -> Vec<Vec<u8>> {
    let image = |(n, size, bits, code): Code| compressed_slice(COMPRESSED[n], size, bits, &code);
    codes().into_iter().map(image).collect()
}

fn segmentation(kind: &str, bits: u16, pixels: &[u8]) -> Vec<u8> {
    let named = |n: u16| [element(0x0062_0005, "LO", "tumour"), number(0x0062_0004, n)].concat();
    let drawn = |k: usize, n: u16| [frame(k), sequence(0x0062_000A, &[number(0x0062_000B, n)])].concat();
    let set = [
        identity(SEG, "SEG", 0),
        place(0),
        element(0x0028_0008, "IS", "3"),
        pixel_form(bits),
        element(0x0062_0001, "CS", kind),
        sequence(0x0062_0002, &[named(1), named(2)]),
        number(0x0062_000E, 200),
        element(0x0062_0010, "CS", "PROBABILITY"),
        sequence(0x5200_9229, &[shared()]),
        sequence(0x5200_9230, &[drawn(0, 1), drawn(2, 1), drawn(1, 2)]),
        element(0x7FE0_0010, "OB", pixels),
    ];
    file(EXPLICIT, SEG, &set.concat())
}

/// Segmentations: binary, fractional, label map.
#[must_use]
pub fn segmentations() -> Vec<Vec<u8>> {
    let bytes: Vec<u8> = (0..36).map(|n| n * 7).collect();
    vec![
        segmentation("BINARY", 1, &[0x5A, 0xC3, 0x0F, 0x99, 0x0A]),
        segmentation("FRACTIONAL", 8, &bytes),
        segmentation("LABELMAP", 8, &[1; 36]),
    ]
}

/// A structure set of one region with a hole.
#[must_use]
pub fn structure_sets() -> Vec<Vec<u8>> {
    let contour = |points: &str| {
        let kind = element(0x3006_0042, "CS", "CLOSED_PLANAR");
        [kind, element(0x3006_0046, "IS", "4"), element(0x3006_0050, "DS", points)].concat()
    };
    let outer = contour("-30\\12\\400\\-10\\12\\400\\-10\\32\\400\\-30\\32\\400");
    let inner = contour("-25\\17\\400\\-15\\17\\400\\-15\\27\\400\\-25\\27\\400");
    let region =
        [element(0x3006_0022, "IS", "1"), element(0x3006_0024, "UI", "1.2.9"), element(0x3006_0026, "LO", "GTV")];
    let drawn = [sequence(0x3006_0040, &[outer, inner]), element(0x3006_0084, "IS", "1")];
    let series = sequence(0x3006_0014, &[element(0x0020_000E, "UI", "1.2.4")]);
    let reference = [element(0x0020_0052, "UI", "1.2.9"), sequence(0x3006_0012, &[series])];
    let set = [
        identity(RT_STRUCT, "RTSTRUCT", 0),
        place(0),
        sequence(0x3006_0010, &[reference.concat()]),
        sequence(0x3006_0020, &[region.concat()]),
        sequence(0x3006_0039, &[drawn.concat()]),
    ];
    vec![file(EXPLICIT, RT_STRUCT, &set.concat())]
}

/// A measurement report (TID 1500), made by `scripts/make_measurement_report.py`.
#[must_use]
pub fn reports() -> Vec<Vec<u8>> {
    vec![oracle("sr/measurement_report.dcm")]
}

/// A dose of two planes.
#[must_use]
pub fn doses() -> Vec<Vec<u8>> {
    let set = [
        identity(RT_DOSE, "RTDOSE", 0),
        place(0),
        element(0x0028_0008, "IS", "2"),
        pixel_form(32),
        element(0x3004_0002, "CS", "GY"),
        element(0x3004_0004, "CS", "PHYSICAL"),
        element(0x3004_000A, "CS", "PLAN"),
        element(0x3004_000C, "DS", "0\\3"),
        element(0x3004_000E, "DS", "1e-3"),
        element(0x7FE0_0010, "OW", (0..24_u32).flat_map(u32::to_le_bytes).collect::<Vec<u8>>()),
    ];
    vec![file(EXPLICIT, RT_DOSE, &set.concat())]
}

/// Clinical tables: name and text.
#[must_use]
pub fn clinical_tables() -> Vec<(&'static str, &'static str)> {
    vec![
        (
            "patients.csv",
            "patient_id,diagnosis,age,death_date,last_contact_date\nP1,HCC,61,,2024-05-01\nP2,\"a \"\"quoted\"\", comma\",70,2024-06-02,2024-06-01\n",
        ),
        (
            "treatments.csv",
            "patient_id,date,session,cycle,modality,target_lesions,complication_grade\nP1,2024-03-02,1,1,MWA,L1;L2,0\n",
        ),
        (
            "lesions.csv",
            "patient_id,lesion_id,study_date,x_mm,y_mm,z_mm,organ,role\nP1,L1,2024-03-01,1.5,-2,3e1,liver,target\n",
        ),
        ("markers.csv", "patient_id,date,marker,value,unit,upper_limit\nP1,2024-03-01,CA 19-9,41.5,U/ml,37\n"),
        ("series.csv", "file,patient_id,study_date,role,unit\na.nii,P1,2024-03-01,ct_portal_venous,HU\n"),
    ]
}
