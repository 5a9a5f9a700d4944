use std::io::Write as _;

use testkit::zip_bytes::{Member, Packing, archive};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::*;

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
    let members_in: [Member<'_>; 14] = [
        (b"good\\one.dcm", b"x", Packing::Stored),
        (b"./good//three.dcm", b"x", Packing::Described),
        (b"../two", b"x", Packing::Stored),
        (b"good/../../two", b"x", Packing::Stored),
        (b"..\\two", b"x", Packing::Stored),
        (b"/etc/three", b"x", Packing::Stored),
        (b"", b"x", Packing::Stored),
        (b"nul\0.dcm", b"x", Packing::Stored),
        (b"secret", b"x", Packing::Encrypted),
        (b"linked", b"/etc/passwd", Packing::Link),
        (b"other", b"x", Packing::Method(12)),
        (b"inner.zip", b"PK", Packing::Stored),
        (b"folder/", b"", Packing::Stored),
        (b"big", b"zip64", Packing::Zip64),
    ];
    std::fs::write(&path, archive(&members_in)).unwrap();
    let found = members(&path).unwrap();
    let names = ["big", "good/one.dcm", "good/three.dcm"];
    assert_eq!(found.files, names.map(|name| path.join(name)));
    assert_eq!(read(&path.join("big")).unwrap(), b"zip64");
    assert_eq!(read(&path.join("good/three.dcm")).unwrap(), b"x");
    let said: String = found.left_out.iter().map(|one| format!("{}: {}\n", one.name, one.reason)).collect();
    for word in ["../two", "..\\two", "/etc/three", "nul\0", "encrypted", "symbolic", "deflate", "inside a zip archive"]
    {
        assert!(said.contains(word), "{word} in {said}");
    }
    assert_eq!(found.left_out.len(), 10, "{said}");
    assert!(open(&path.join("../two")).is_err() && open(&path.join("secret")).is_err());
}

#[test]
fn of_two_files_of_one_name_neither_is_taken_and_a_copy_is_no_other_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("p.zip");
    let members_in: [Member<'_>; 7] = [
        (b"a/one", b"first", Packing::Stored),
        (b"a/one", b"second", Packing::Stored),
        (b"a/two", b"first", Packing::Stored),
        (b"a\\two", b"second", Packing::Stored),
        (b"./a/two", b"first", Packing::Stored),
        (b"a/three", b"same", Packing::Stored),
        (b"a/three", b"same", Packing::Deflated),
    ];
    std::fs::write(&path, archive(&members_in)).unwrap();
    let found = members(&path).unwrap();
    assert_eq!(found.files, [path.join("a/three")]);
    assert_eq!(found.left_out.len(), 2, "{:?}", found.left_out);
    assert!(found.left_out.iter().all(|one| one.reason == directory::TWO_FILES), "{:?}", found.left_out);
    assert_eq!(read(&found.files[0]).unwrap(), b"same");
}

#[test]
fn names_of_any_length_and_bytes_are_names_and_notes_of_them_are_short() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("p.zip");
    let (long, outside) = ("deep/".repeat(2000) + "file", "../".to_owned() + &"x".repeat(10_000));
    let members_in: [Member<'_>; 3] = [
        (long.as_bytes(), b"long", Packing::Deflated),
        (outside.as_bytes(), b"x", Packing::Stored),
        (b"bell\x07\x1b[2J\r\n\xFF", b"odd", Packing::Stored),
    ];
    std::fs::write(&path, archive(&members_in)).unwrap();
    let found = members(&path).unwrap();
    let mut contents: Vec<Vec<u8>> = found.files.iter().map(|file| read(file).unwrap()).collect();
    contents.sort();
    assert_eq!(contents, [b"long".to_vec(), b"odd".to_vec()]);
    assert!(found.left_out.len() == 1 && found.left_out[0].name.len() < 300, "{:?}", found.left_out);
}

#[test]
fn an_archive_written_anew_is_read_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("p.zip");
    for content in [b"one".as_slice(), b"and two"] {
        std::fs::write(&path, archive(&[(b"a", content, Packing::Stored)])).unwrap();
        assert_eq!(read(&path.join("a")).unwrap(), content);
    }
}

#[test]
fn a_member_that_unpacks_to_more_than_it_says_or_can_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let zeros = vec![0; 2000];
    let whole = archive(&[(b"zeros", &zeros, Packing::Deflated)]);
    let central = whole.windows(4).rposition(|w| w == b"PK\x01\x02").unwrap();
    for (name, size, word) in [
        ("less", 1000_u32, "checksum"),
        ("more", 4000, "ends early"),
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
    let whole = archive(&[(b"one", &[1; 300], Packing::Deflated), (b"two", b"zwei", Packing::Zip64)]);
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
