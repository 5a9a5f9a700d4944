use std::io::Write as _;

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::*;

/// Writes a zip archive by hand, so that names and methods no packer allows can be written too: (name, bytes, deflated, encrypted).
fn by_hand(members: &[(&str, &[u8], bool, bool)]) -> Vec<u8> {
    let (mut out, mut central) = (Vec::new(), Vec::new());
    for (name, bytes, deflate, encrypted) in members {
        let mut crc = flate2::Crc::new();
        crc.update(bytes);
        let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        let packed = if *deflate { encoder.finish().unwrap() } else { bytes.to_vec() };
        let mut fields = vec![20, 0, u8::from(*encrypted), 0, u8::from(*deflate) * 8, 0, 0, 0, 0, 0];
        fields.extend(crc.sum().to_le_bytes());
        fields.extend((packed.len() as u32).to_le_bytes());
        fields.extend((bytes.len() as u32).to_le_bytes());
        fields.extend((name.len() as u16).to_le_bytes());
        fields.extend([0, 0]);
        let at = out.len() as u32;
        out.extend(b"PK\x03\x04");
        out.extend(&fields);
        out.extend(name.as_bytes());
        out.extend(packed);
        central.extend(b"PK\x01\x02\x14\x00");
        central.extend(&fields);
        central.extend([0; 10]);
        central.extend(at.to_le_bytes());
        central.extend(name.as_bytes());
    }
    let (at, n) = (out.len() as u32, members.len() as u16);
    out.extend(&central);
    out.extend(b"PK\x05\x06\x00\x00\x00\x00");
    out.extend(n.to_le_bytes());
    out.extend(n.to_le_bytes());
    out.extend((central.len() as u32).to_le_bytes());
    out.extend(at.to_le_bytes());
    out.extend([0, 0]);
    out
}

#[test]
fn members_are_read_where_they_lie() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("P1.ZIP");
    let mut writer = ZipWriter::new(File::create(&path).unwrap());
    let long: Vec<u8> = (0..200_000_u32).map(|n| (n % 251) as u8).collect();
    for (name, method, bytes) in
        [("a/one", CompressionMethod::Stored, b"stored".as_slice()), ("a/two", CompressionMethod::Deflated, &long)]
    {
        // Without zip64 and with it: the sizes then stand elsewhere.
        let options = SimpleFileOptions::default().compression_method(method).large_file(name == "a/two");
        writer.start_file(name, options).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap();
    let found = members(&path).unwrap();
    assert_eq!(found.files, [path.join("a/one"), path.join("a/two")]);
    assert!(found.left_out.is_empty());
    assert_eq!(read(&found.files[0]).unwrap(), b"stored");
    assert_eq!(read(&found.files[1]).unwrap(), long);
    assert_eq!((size_of(&found.files[0]).unwrap(), size_of(&found.files[1]).unwrap()), (6, 200_000));
    for (n, at) in [(0, 3), (1, 199_000)] {
        let mut file = open(&found.files[n]).unwrap();
        file.seek(SeekFrom::End(-2)).unwrap();
        file.seek(SeekFrom::Start(at)).unwrap();
        let mut two = [0; 2];
        file.read_exact(&mut two).unwrap();
        assert_eq!(two.as_slice(), if n == 0 { b"re".as_slice() } else { &long[199_000..199_002] });
    }
    assert!(open(&path.join("a/none")).is_err() && !is_file(&path.join("a")) && is_file(&found.files[1]));
    let _held = hold(found.files.iter().map(PathBuf::as_path));
    assert_eq!(read(&found.files[1]).unwrap(), long, "a held member is read again from its start");
}

#[test]
fn what_cannot_be_read_or_leads_astray_is_left_out_with_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("p.zip");
    let members_in: [(&str, &[u8], bool, bool); 7] = [
        ("good\\one.dcm", b"x", false, false),
        ("../two", b"x", false, false),
        ("/etc/three", b"x", false, false),
        ("secret", b"x", true, true),
        ("inner.zip", b"PK", false, false),
        ("good/one.dcm", b"other", false, false),
        ("folder/", b"", false, false),
    ];
    std::fs::write(&path, by_hand(&members_in)).unwrap();
    let found = members(&path).unwrap();
    assert_eq!(found.files, [path.join("good/one.dcm")]);
    let said: String = found.left_out.iter().map(|one| format!("{}: {}\n", one.name, one.reason)).collect();
    for word in ["../two", "/etc/three", "encrypted", "inside a zip archive", "two files of this name"] {
        assert!(said.contains(word), "{word} in {said}");
    }
    assert_eq!(found.left_out.len(), 5, "{said}");
    assert!(open(&path.join("../two")).is_err() && open(&path.join("secret")).is_err());
}

#[test]
fn a_member_that_unpacks_to_more_than_it_says_or_can_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let zeros = vec![0; 3 << 20];
    let whole = by_hand(&[("zeros", &zeros, true, false)]);
    let central = whole.windows(4).rposition(|w| w == b"PK\x01\x02").unwrap();
    for (name, size, word) in [
        ("less", 1_u32 << 20, "checksum"),
        ("more", 4 << 20, "ends early"),
        ("absurd", 0x3000_0000, "more than it can hold"),
        ("huge", 0xF000_0000, "unpack the archive"),
    ] {
        let mut bytes = whole.clone();
        bytes[central + 24..central + 28].copy_from_slice(&size.to_le_bytes());
        let path = folder.path().join(format!("{name}.zip"));
        std::fs::write(&path, bytes).unwrap();
        let error = read(&path.join("zeros")).unwrap_err().to_string();
        assert!(error.contains(word), "{name}: {error}");
    }
}

#[test]
fn no_cut_and_no_changed_byte_makes_it_panic() {
    let folder = tempfile::tempdir().unwrap();
    let whole = by_hand(&[("one", &[1; 300], true, false), ("two", b"zwei", false, false)]);
    for n in 0..whole.len() {
        let mut changed = whole.clone();
        changed[n] ^= 0x7F;
        for (kind, bytes) in [("cut", &whole[..n]), ("changed", &changed)] {
            let path = folder.path().join(format!("{n}{kind}.zip"));
            std::fs::write(&path, bytes).unwrap();
            for member in members(&path).map(|found| found.files).unwrap_or_default() {
                let _ = read(&member);
            }
        }
    }
}
