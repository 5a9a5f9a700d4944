//! Small archives in one zip file: of DICOM, of NIfTI in both layouts, of names and packings that mean no good.

use super::{ct_slice, niftis, reports, segmentations};
use crate::zip_bytes::{Member, Packing, archive};

const DEFLATED: Packing = Packing::Deflated;

/// An archive with this file in it as a DICOM file, as NIfTI images by date, by BIDS and gzipped, and as what states units and
/// days: each in another packing.
#[must_use]
pub fn archive_of(bytes: &[u8]) -> Vec<u8> {
    let image = &niftis()[0];
    let members: [Member<'_>; 8] = [
        (b"1/0.dcm", bytes, DEFLATED),
        (b"P1/2024-03-01/ct_portal_venous.nii", bytes, Packing::Stored),
        (b"P1/2024-03-02/ct_portal_venous.nii.gz", bytes, Packing::Described),
        (b"P1/2024-03-02/ct_portal_venous.json", bytes, DEFLATED),
        (b"sub-P2/ses-1/ct/sub-P2_ses-1_ct.nii", image, DEFLATED),
        (b"sub-P2/sub-P2_sessions.tsv", bytes, DEFLATED),
        (b"somewhere.nii", bytes, Packing::Zip64),
        (b"1/1.dcm", &ct_slice(1), DEFLATED),
    ];
    archive(&members)
}

/// Zip archives: a series as DICOM with a segmentation and a report, NIfTI images, and hostile members beside a whole series.
#[must_use]
pub fn zips() -> Vec<Vec<u8>> {
    let slices: Vec<Vec<u8>> = (0..3).map(ct_slice).collect();
    let (segmentation, report) = (&segmentations()[0], &reports()[0]);
    let dicom: [Member<'_>; 5] = [
        (b"P1/scans/1/0.dcm", &slices[0], DEFLATED),
        (b"P1/scans/1/1.dcm", &slices[1], Packing::Stored),
        (b"P1/scans/1/2.dcm", &slices[2], Packing::Described),
        (b"P1/scans/2/seg.dcm", segmentation, Packing::Zip64),
        (b"P1/scans/3/sr.dcm", report, DEFLATED),
    ];
    let hostile: [Member<'_>; 10] = [
        (b"./series\\0.dcm", &slices[0], DEFLATED),
        (b"series/1.dcm", &slices[1], DEFLATED),
        (b"series//2.dcm", &slices[2], DEFLATED),
        (b"../escaped.dcm", &slices[0], DEFLATED),
        (b"/etc/escaped.dcm", &slices[0], DEFLATED),
        (b"secret.dcm", &slices[0], Packing::Encrypted),
        (b"link.dcm", b"/etc/passwd", Packing::Link),
        (b"other.dcm", b"BZh", Packing::Method(12)),
        (b"inner.zip", b"PK\x05\x06", Packing::Stored),
        (b"bell\x07\x1b[2J\xFF.dcm", b"text", Packing::Stored),
    ];
    vec![archive(&dicom), archive_of(&niftis()[0]), archive(&hostile)]
}
