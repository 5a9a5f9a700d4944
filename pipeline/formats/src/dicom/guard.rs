//! Stands between the bytes of a file and the foreign parser, which takes memory for every length a file states and goes one
//! call deeper for every sequence: each length is held against what the file still has, nesting and counts against bounds.
//!
//! The parser asks the guard for every header and value, so the two cannot disagree on what a file says.
//!
//! Source: DICOM PS3.5 section 7 (data elements, nesting of data sets).

use std::cell::Cell;
use std::io::{Read, Seek, Write};
use std::rc::Rc;

use dicom::core::header::{DataElementHeader, Length, SequenceItemHeader};
use dicom::core::{PrimitiveValue, Tag, VR};
use dicom::encoding::TransferSyntax;
use dicom::object::InMemDicomObject;
use dicom::parser::stateful::decode::{Error, Result as Decoded};
use dicom::parser::{DynStatefulDecoder, StatefulDecode};

use super::file::reason_of;

/// Sequences within sequences: structured reports, the deepest objects, have about ten; a thread's stack holds some hundreds.
pub(super) const MAX_DEPTH: usize = 32;

/// Elements and items of one file: 65 thousand frames of 30 elements each are two million. Each takes some 200 bytes of memory.
pub(super) const MAX_ELEMENTS: usize = 4_000_000;

/// Bytes of texts of one file: the contours of the largest structure sets are some 100 MB. A text of separators alone takes 24
/// times its bytes.
pub(super) const MAX_TEXT_BYTES: u64 = 256 << 20;

/// An item begins.
const ITEM: Tag = Tag(0xFFFE, 0xE000);

/// An item has ended: in the place of a data element.
const ITEM_DELIMITER: Tag = Tag(0xFFFE, 0xE00D);

/// A reader that can be told to end.
pub(super) struct Ending<R> {
    inner: R,
    ended: Rc<Cell<bool>>,
}

impl<R: Read> Read for Ending<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.ended.get() { Ok(0) } else { self.inner.read(buffer) }
    }
}

struct Guard<R: Read> {
    decoder: DynStatefulDecoder<Ending<R>>,
    ended: Rc<Cell<bool>>,
    /// Bytes of the data set.
    n_bytes: u64,
    until: Option<Tag>,
    /// Sequences and items that are open, each with the place of its end where it states one.
    open: Vec<Option<u64>>,
    n_elements: usize,
    n_text_bytes: u64,
    refusal: Option<String>,
}

/// A data set of `n_bytes` bytes, whole or up to a tag. `Err` is a reason for a message.
pub(super) fn read_data_set<R: Read>(
    from: R,
    syntax: &TransferSyntax,
    n_bytes: u64,
    until: Option<Tag>,
) -> Result<InMemDicomObject, String> {
    let ended = Rc::new(Cell::new(false));
    let reader = Ending { inner: from, ended: Rc::clone(&ended) };
    let decoder = DynStatefulDecoder::new_with_ts(reader, syntax, 0).map_err(|e| reason_of(&e))?;
    let (open, refusal) = (Vec::new(), None);
    let mut guard = Guard { decoder, ended, n_bytes, until, open, n_elements: 0, n_text_bytes: 0, refusal };
    let read = InMemDicomObject::read_dataset(&mut guard);
    match guard.refusal {
        Some(reason) => Err(reason),
        None => read.map_err(|e| reason_of(&e)),
    }
}

impl<R: Read> Guard<R> {
    /// Ends the parse; the parser's own error is of no interest.
    fn refuse<T>(&mut self, reason: String) -> Decoded<T> {
        self.refusal.get_or_insert(reason);
        Err(Error::AllocateValueData { len: 0 })
    }

    fn left(&self) -> u64 {
        self.n_bytes.saturating_sub(self.decoder.position())
    }

    /// Closes what has reached its stated end.
    fn close_ended(&mut self) {
        let position = self.decoder.position();
        while self.open.last().is_some_and(|end| end.is_some_and(|end| end <= position)) {
            self.open.pop();
        }
    }

    /// Opens a sequence or an item, and counts it.
    fn open(&mut self, length: Length) -> Decoded<()> {
        self.open.push(length.get().map(|n| self.decoder.position() + u64::from(n)));
        if self.open.len() > 2 * MAX_DEPTH {
            return self.refuse(format!("its sequences are nested more than {MAX_DEPTH} deep, as in no real object"));
        }
        Ok(())
    }

    fn check(&mut self, what: &str, tag: Tag, length: Length) -> Decoded<()> {
        self.n_elements += 1;
        if self.n_elements > MAX_ELEMENTS {
            return self.refuse(format!("it holds more than {MAX_ELEMENTS} elements, as no real object does"));
        }
        match length.get() {
            Some(n) if u64::from(n) > self.left() => {
                let left = self.left();
                self.refuse(format!("{what} {tag} claims {n} bytes where {left} are left"))
            }
            _ => Ok(()),
        }
    }

    fn count_text(&mut self, header: &DataElementHeader) -> Decoded<()> {
        let is_text = matches!(
            header.vr,
            VR::AE
                | VR::AS
                | VR::CS
                | VR::DA
                | VR::DS
                | VR::DT
                | VR::IS
                | VR::LO
                | VR::PN
                | VR::SH
                | VR::TM
                | VR::UC
                | VR::UI
        );
        self.n_text_bytes += header.len.get().filter(|_| is_text).map_or(0, u64::from);
        if self.n_text_bytes > MAX_TEXT_BYTES {
            return self.refuse(format!("it holds more than {MAX_TEXT_BYTES} bytes of text; split it"));
        }
        Ok(())
    }
}

impl<R: Read> StatefulDecode for Guard<R> {
    type Reader = Ending<R>;

    fn decode_header(&mut self) -> Decoded<DataElementHeader> {
        self.close_ended();
        let header = self.decoder.decode_header()?;
        if header.tag == ITEM_DELIMITER {
            self.open.pop();
            return Ok(header);
        }
        if self.open.is_empty() && self.until.is_some_and(|tag| tag <= header.tag) {
            // For the parser the file ends here.
            self.ended.set(true);
            return self.decoder.decode_header();
        }
        self.check("element", header.tag, header.len)?;
        if header.vr == VR::SQ || header.len.is_undefined() {
            self.open(header.len)?;
        }
        Ok(header)
    }

    fn decode_item_header(&mut self) -> Decoded<SequenceItemHeader> {
        self.close_ended();
        let header = self.decoder.decode_item_header()?;
        match header {
            SequenceItemHeader::Item { len } => {
                self.check("item", ITEM, len)?;
                self.open(len)?;
            }
            SequenceItemHeader::ItemDelimiter | SequenceItemHeader::SequenceDelimiter => {
                self.open.pop();
            }
        }
        Ok(header)
    }

    fn read_value(&mut self, header: &DataElementHeader) -> Decoded<PrimitiveValue> {
        self.count_text(header)?;
        self.decoder.read_value(header)
    }

    fn read_value_preserved(&mut self, header: &DataElementHeader) -> Decoded<PrimitiveValue> {
        self.count_text(header)?;
        self.decoder.read_value_preserved(header)
    }

    fn read_value_bytes(&mut self, header: &DataElementHeader) -> Decoded<PrimitiveValue> {
        self.decoder.read_value_bytes(header)
    }

    fn read_to_vec(&mut self, length: u32, vec: &mut Vec<u8>) -> Decoded<()> {
        self.decoder.read_to_vec(length, vec)
    }

    fn read_u32_to_vec(&mut self, length: u32, vec: &mut Vec<u32>) -> Decoded<()> {
        self.decoder.read_u32_to_vec(length, vec)
    }

    fn read_to<W: Write>(&mut self, length: u32, out: W) -> Decoded<()> {
        self.decoder.read_to(length, out)
    }

    fn skip_bytes(&mut self, length: u32) -> Decoded<()> {
        self.decoder.skip_bytes(length)
    }

    fn seek(&mut self, position: u64) -> Decoded<()>
    where
        Self::Reader: Seek,
    {
        self.decoder.seek(position)
    }

    fn position(&self) -> u64 {
        self.decoder.position()
    }
}

#[cfg(test)]
mod tests {
    use dicom::core::Tag;
    use dicom::transfer_syntax::entries::EXPLICIT_VR_LITTLE_ENDIAN;
    use testkit::dicom_bytes::{element, header, open_sequence, sequence};

    use super::*;

    fn read(bytes: &[u8], until: Option<Tag>) -> Result<InMemDicomObject, String> {
        read_data_set(bytes, &EXPLICIT_VR_LITTLE_ENDIAN.erased(), bytes.len() as u64, until)
    }

    #[test]
    fn a_length_beyond_the_file_is_refused_before_memory_is_taken() {
        for vr in ["OB", "UT", "OW", "UN"] {
            let lies = header(0x0009_1001, vr, 0xFFFF_FFF0);
            let reason = read(&lies, None).unwrap_err();
            assert!(reason.contains("claims 4294967280 bytes where 0 are left"), "{reason}");
        }
        let fragment =
            [header(0x7FE0_0010, "OB", u32::MAX), vec![0xFE, 0xFF, 0, 0xE0, 0xF0, 0xFF, 0xFF, 0xFF]].concat();
        assert!(read(&fragment, None).unwrap_err().starts_with("item (FFFE,E000) claims"));
    }

    #[test]
    fn nesting_is_bounded_whether_lengths_are_stated_or_not() {
        let nested = |n: usize, stated: bool| {
            (0..n).fold(element(0x0008_0100, "SH", "x"), |inner, _| {
                if stated { sequence(0x0040_A730, &[inner]) } else { open_sequence(0x0040_A730, &inner) }
            })
        };
        for stated in [true, false] {
            // SQ and item lengths have 32 bits; 2000 levels would take the stack of a thread.
            assert!(read(&nested(MAX_DEPTH, stated), None).is_ok(), "stated {stated}");
            for n in [MAX_DEPTH + 1, 2000] {
                assert!(read(&nested(n, stated), None).unwrap_err().contains("nested more than 32 deep"));
            }
        }
        // Side by side is not within.
        let side_by_side = (0..100).flat_map(|_| nested(1, true)).collect::<Vec<u8>>();
        assert!(read(&side_by_side, None).is_ok());
    }

    #[test]
    fn the_data_set_ends_before_a_tag_of_the_top_level_only() {
        let icon = element(0x7FE0_0010, "OB", [1, 2]);
        let set =
            [sequence(0x0088_0200, &[icon]), element(0x0088_0904, "LO", "x"), header(0x7FE0_0010, "OW", 0x7FFF_FFFE)]
                .concat();
        let object = read(&set, Some(Tag(0x7FE0, 0x0001))).unwrap();
        assert_eq!(object.iter().count(), 2);
    }
}
