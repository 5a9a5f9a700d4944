//! Streams of CharLS (pyjpegls 1.5.1) of one image of flat, ramped and noisy parts.

use super::*;

const ROWS: usize = 37;
const COLUMNS: usize = 41;

/// The image that was encoded, and the sum of value · (place + 1) modulo 2³² of what CharLS decodes.
fn original(bits: u32) -> Vec<u16> {
    let mut state = 12_345_u32;
    let mut image = Vec::with_capacity(ROWS * COLUMNS);
    for j in 0..ROWS as u32 {
        for i in 0..COLUMNS as u32 {
            state = state.wrapping_mul(1_103_515_245).wrapping_add(12_345) & 0x7fff_ffff;
            let noise = state >> 16;
            let value = if j < 12 && i < 30 {
                if i < 20 { 7 } else { 7 + u32::from(noise.is_multiple_of(50)) }
            } else if j < 24 {
                i * 97 + j * 31 + noise % 5
            } else {
                noise
            };
            image.push((value & ((1 << bits) - 1)) as u16);
        }
    }
    image
}

fn checksum(samples: &[u16]) -> u32 {
    samples.iter().zip(1_u32..).fold(0, |sum, (v, n)| sum.wrapping_add(u32::from(*v).wrapping_mul(n)))
}

#[test]
fn lossless_streams_give_the_image_and_near_lossless_ones_what_charls_gives() {
    let streams: [(&[u8], u32, u16, u32); 6] = [
        (include_bytes!("../../../../../../test_data/oracles/jpeg_ls/8bit_near0.jls"), 8, 0, 0),
        (include_bytes!("../../../../../../test_data/oracles/jpeg_ls/12bit_near0.jls"), 12, 0, 0),
        (include_bytes!("../../../../../../test_data/oracles/jpeg_ls/16bit_near0.jls"), 16, 0, 0),
        (include_bytes!("../../../../../../test_data/oracles/jpeg_ls/12bit_near3.jls"), 12, 3, 2_263_631_530),
        (include_bytes!("../../../../../../test_data/oracles/jpeg_ls/8bit_near2.jls"), 8, 2, 136_947_387),
        (include_bytes!("../../../../../../test_data/oracles/jpeg_ls/16bit_near5.jls"), 16, 5, 3_647_854_883),
    ];
    for (stream, bits, near, by_charls) in streams {
        let image = decode(stream, COLUMNS, ROWS).unwrap();
        assert_eq!((image.columns, image.rows), (COLUMNS, ROWS));
        let expected = original(bits);
        let worst = image.samples.iter().zip(&expected).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
        assert!(worst <= near, "{bits} bits, near {near}: {worst}");
        if near > 0 {
            assert_eq!(checksum(&image.samples), by_charls, "{bits} bits, near {near}");
        }
    }
}

#[test]
fn every_cut_and_every_flipped_byte_ends_without_a_panic() {
    let stream = include_bytes!("../../../../../../test_data/oracles/jpeg_ls/12bit_near3.jls");
    for length in 0..stream.len() - 40 {
        assert!(decode(&stream[..length], COLUMNS, ROWS).is_err(), "cut to {length}");
    }
    let mut flipped = stream.to_vec();
    for n in 0..stream.len() {
        flipped[n] ^= 0x5A;
        let _ = decode(&flipped, COLUMNS, ROWS);
        flipped[n] ^= 0x5A;
    }
}
