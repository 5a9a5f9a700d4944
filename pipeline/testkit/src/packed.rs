//! Compression by hand: stored deflate blocks, so that damage done to a file meets what is packed, and checksums.
//!
//! Source: RFC 1951 section 3.2.4 (stored blocks), RFC 1952 section 8 (CRC-32).

/// Bytes as deflate data of stored blocks of at most `block` bytes.
#[must_use]
pub fn stored_blocks(bytes: &[u8], block: u16) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + 5);
    let mut blocks = bytes.chunks(usize::from(block.max(1))).peekable();
    if blocks.peek().is_none() {
        out.extend_from_slice(&[1, 0, 0, 0xFF, 0xFF]);
    }
    while let Some(chunk) = blocks.next() {
        let length = chunk.len() as u16;
        out.push(u8::from(blocks.peek().is_none()));
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(&(!length).to_le_bytes());
        out.extend_from_slice(chunk);
    }
    out
}

/// The checksum of each byte.
const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut n = 0;
    while n < 256 {
        let (mut crc, mut bit) = (n as u32, 0);
        while bit < 8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 };
            bit += 1;
        }
        table[n] = crc;
        n += 1;
    }
    table
};

/// CRC-32.
#[must_use]
pub fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| (crc >> 8) ^ TABLE[((crc ^ u32::from(*byte)) & 0xFF) as usize])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_value_of_the_checksum_and_two_blocks_by_hand() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926, "the check value of CRC-32/ISO-HDLC");
        let blocks = [&[0, 2, 0, 0xFD, 0xFF][..], b"ab", &[1, 1, 0, 0xFE, 0xFF], b"c"].concat();
        assert_eq!(stored_blocks(b"abc", 2), blocks);
        assert_eq!(stored_blocks(b"", 9), [1, 0, 0, 0xFF, 0xFF]);
    }
}
