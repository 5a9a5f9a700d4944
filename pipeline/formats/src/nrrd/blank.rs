//! Copies a NRRD file with a header of the fields that place and read its voxels, and nothing else: comments, keys of the user's
//! and unknown fields are not copied. Samples are copied byte for byte, packed anew.
//!
//! Source: Kindlmann, "Definition of NRRD file format", version 4.

use std::io::Write;
use std::path::Path;

use flate2::{Compression, GzBuilder};

use super::header::Header;
use super::{NrrdError, data_of, raw_of};
use crate::stored;

/// Writes a NRRD file with attached, packed data, also of a detached header.
///
/// # Errors
/// The file is no image in patient space, its data cannot be read, or `out` cannot be written.
pub(crate) fn copy_blank(path: &Path, out: &mut dyn Write) -> Result<(), NrrdError> {
    let io = |source| NrrdError::Io { path: path.to_owned(), source };
    let unusable = |reason: String| NrrdError::Unusable { path: path.to_owned(), reason };
    let bytes = stored::read(path).map_err(io)?;
    let (header, data_at) = Header::parse(&bytes).map_err(unusable)?;
    let data = data_of(path, &header, &bytes[data_at..])?;
    let raw = raw_of(&header, &data).map_err(unusable)?;
    out.write_all(text_of(&header).as_bytes()).map_err(io)?;
    let mut packed = GzBuilder::new().write(out, Compression::default());
    packed.write_all(&raw).and_then(|()| packed.finish().map(drop)).map_err(io)
}

fn text_of(header: &Header) -> String {
    let space = match header.space_to_lps {
        [x, y, _] if x < 0.0 && y < 0.0 => "right-anterior-superior",
        [_, y, _] if y < 0.0 => "left-anterior-superior",
        _ => "left-posterior-superior",
    };
    let vector = |v: [f64; 3]| format!("({},{},{})", v[0], v[1], v[2]);
    let [ni, nj, nk] = header.sizes;
    let directions = header.directions.map(vector).join(" ");
    format!(
        "NRRD0004\ntype: {}\ndimension: 3\nspace: {space}\nsizes: {ni} {nj} {nk}\nspace directions: {directions}\nkinds: domain domain domain\nendian: {}\nencoding: gzip\nspace origin: {}\n\n",
        header.sample.name(),
        if header.big_endian { "big" } else { "little" },
        vector(header.origin)
    )
}

#[cfg(test)]
mod tests {
    use imaging::FrameId;

    use super::*;
    use crate::nrrd::read_image;

    #[test]
    fn a_detached_header_is_joined_with_its_data() {
        let folder = tempfile::tempdir().unwrap();
        let [from, data, to] = ["a.nhdr", "a.raw", "b.nhdr"].map(|name| folder.path().join(name));
        let header = "NRRD0005\ntype: short\ndimension: 3\nspace: lps\nsizes: 2 3 2\nspace directions: (1,0,0) (0,1,0) (0,0,2)\nendian: little\nencoding: raw\nspace origin: (1,2,3)\ndata file: a.raw\n";
        std::fs::write(&from, header).unwrap();
        std::fs::write(&data, (0..24_u8).collect::<Vec<_>>()).unwrap();
        let mut copy = Vec::new();
        copy_blank(&from, &mut copy).unwrap();
        std::fs::write(&to, &copy).unwrap();
        std::fs::remove_file(&data).unwrap();
        let image = read_image(&to, FrameId::new("f")).unwrap();
        assert_eq!(image.values()[11], f32::from(i16::from_le_bytes([22, 23])));
    }

    #[test]
    fn comments_and_keys_are_gone_and_the_image_is_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let [from, to] = ["a.nrrd", "b.nrrd"].map(|name| folder.path().join(name));
        for (space, endian) in [("right-anterior-superior", "big"), ("LAS", "little"), ("lps", "little")] {
            let mut file = format!(
                "NRRD0005\n# SECRET\ntype: short\ndimension: 3\nspace: {space}\nsizes: 2 3 2\ncontent: SECRET\nspace directions: (0.5,0.25,0) (0,0,2) (0,-1,0)\nendian: {endian}\nencoding: raw\nspace origin: (10,-20.125,30)\nSegment0_Name:=SECRET\n\n"
            )
            .into_bytes();
            file.extend((0..24_u8).chain(*b"SECRET"));
            std::fs::write(&from, &file).unwrap();
            let mut copy = Vec::new();
            copy_blank(&from, &mut copy).unwrap();
            assert!(!copy.windows(6).any(|w| w == b"SECRET"));
            std::fs::write(&to, &copy).unwrap();
            assert_eq!(read_image(&to, FrameId::new("f")).unwrap(), read_image(&from, FrameId::new("f")).unwrap());
        }
    }
}
