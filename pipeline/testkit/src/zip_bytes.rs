//! Zip archives byte by byte: names, methods and sizes that no packer would write can be written, too.
//!
//! Source: APPNOTE.TXT 6.3.10 (PKWARE), sections 4.3 (records), 4.4 (fields) and 4.5.3 (zip64).

use crate::packed::{crc32, stored_blocks};

/// How a member lies in its archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// As it is.
    Stored,
    /// Deflated, in stored blocks.
    Deflated,
    /// Deflated; checksum and sizes follow the data and are 0 before it, as writers to a pipe do it.
    Described,
    /// As it is; sizes and place stand in the zip64 field.
    Zip64,
    /// As it is, said to be encrypted.
    Encrypted,
    /// As it is, said to be a symbolic link.
    Link,
    /// As it is, said to be packed by this method.
    Method(u16),
}

/// One member: name as bytes (any), content, packing.
pub type Member<'a> = (&'a [u8], &'a [u8], Packing);

/// A place or size that stands in the zip64 field.
const ELSEWHERE: u32 = u32::MAX;

/// Flags: encrypted, described after the data.
const ENCRYPTED: u16 = 1;
const DESCRIBED: u16 = 1 << 3;

/// An archive of these members, in this order.
#[must_use]
pub fn archive(members: &[Member<'_>]) -> Vec<u8> {
    let (mut out, mut central) = (Vec::new(), Vec::new());
    for member in members {
        let at = out.len() as u32;
        let packed = packed(member);
        out.extend_from_slice(b"PK\x03\x04");
        out.extend(fields(member, &packed, member.2 == Packing::Described));
        out.extend_from_slice(&0_u16.to_le_bytes());
        out.extend_from_slice(member.0);
        out.extend_from_slice(&packed);
        if member.2 == Packing::Described {
            out.extend_from_slice(b"PK\x07\x08");
            out.extend(sizes(member, &packed));
        }
        central.extend(central_header(member, &packed, at));
    }
    let (at, n) = (out.len() as u32, members.len() as u16);
    out.extend_from_slice(&central);
    out.extend_from_slice(b"PK\x05\x06\x00\x00\x00\x00");
    out.extend([n, n].into_iter().flat_map(u16::to_le_bytes));
    out.extend([central.len() as u32, at].into_iter().flat_map(u32::to_le_bytes));
    out.extend_from_slice(&[0, 0]);
    out
}

fn packed((_, bytes, packing): &Member<'_>) -> Vec<u8> {
    match packing {
        Packing::Deflated | Packing::Described => stored_blocks(bytes, u16::MAX),
        _ => bytes.to_vec(),
    }
}

/// Checksum, packed and true size.
fn sizes((_, bytes, _): &Member<'_>, packed: &[u8]) -> Vec<u8> {
    [crc32(bytes), packed.len() as u32, bytes.len() as u32].into_iter().flat_map(u32::to_le_bytes).collect()
}

/// What both headers of a member hold, from the version needed to the length of the name.
fn fields(member: &Member<'_>, packed: &[u8], described_later: bool) -> Vec<u8> {
    let (name, _, packing) = member;
    let flags = match packing {
        Packing::Encrypted => ENCRYPTED,
        Packing::Described => DESCRIBED,
        _ => 0,
    };
    let method = match packing {
        Packing::Deflated | Packing::Described => 8,
        Packing::Method(method) => *method,
        _ => 0,
    };
    let mut out: Vec<u8> = [45, flags, method, 0, 0].into_iter().flat_map(u16::to_le_bytes).collect();
    out.extend(if described_later { vec![0; 12] } else { sizes(member, packed) });
    out.extend((name.len() as u16).to_le_bytes());
    out
}

fn central_header(member: &Member<'_>, packed: &[u8], at: u32) -> Vec<u8> {
    let (name, bytes, packing) = member;
    // Made under Unix, so that the attributes can say what a link is.
    let mut out = b"PK\x01\x02\x2D\x03".to_vec();
    out.extend(fields(member, packed, false));
    let mut extra = Vec::new();
    let mut place = at;
    if *packing == Packing::Zip64 {
        let n = out.len();
        out[n - 10..n - 2].fill(0xFF);
        extra.extend([1, 24].into_iter().flat_map(u16::to_le_bytes));
        let numbers = [bytes.len() as u64, packed.len() as u64, u64::from(at)];
        extra.extend(numbers.into_iter().flat_map(u64::to_le_bytes));
        place = ELSEWHERE;
    }
    let mode: u32 = if *packing == Packing::Link { 0o120_777 } else { 0o100_644 };
    // Length of the extra field and of the comment, disk, internal attributes.
    out.extend([extra.len() as u16, 0, 0, 0].into_iter().flat_map(u16::to_le_bytes));
    out.extend([mode << 16, place].into_iter().flat_map(u32::to_le_bytes));
    out.extend_from_slice(name);
    out.extend(extra);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_member_by_hand() {
        let bytes = archive(&[(b"a", b"xy", Packing::Stored)]);
        let local = b"PK\x03\x04\x2D\0\0\0\0\0\0\0\0\0";
        assert_eq!(bytes[..14], local[..]);
        assert_eq!(bytes[18..30], [2, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0]);
        assert_eq!(bytes[30..33], *b"axy");
        assert_eq!(bytes[33..37], *b"PK\x01\x02");
        assert_eq!(bytes.len(), 33 + 46 + 1 + 22);
    }
}
