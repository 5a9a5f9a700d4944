//! Damage done to a file, the same for the same number: flipped and lost bytes, lengths that lie, parts cut out and repeated.

/// A generator of the kind `SplitMix64` (Steele, Lea and Flood 2014): small, and enough to choose places.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }
}

/// Numbers at which readers trip.
const TRAPS: [u64; 12] = [
    0,
    1,
    0x7F,
    0xFF,
    0x7FFF,
    0xFFFF,
    0x1_0000,
    0x7FFF_FFFF,
    0xFFFF_FFFE,
    0xFFFF_FFFF,
    0x7FFF_FFFF_FFFF_FFFF,
    0xFFFF_FFFF_FFFF_FFFF,
];

/// Text at which readers trip.
const WORDS: [&str; 10] =
    ["-1", "0", "1e308", "nan", "inf", "99999999999999999999", "\\\\\\\\", "2024-02-30", "\u{202e}", "\"'\",\n="];

/// A damaged copy: one to four faults, chosen by `number`.
#[must_use]
pub fn damaged(whole: &[u8], number: u64) -> Vec<u8> {
    let mut chance = Chance(number.wrapping_mul(0x2545_F491_4F6C_DD1D));
    let mut bytes = whole.to_vec();
    for _ in 0..=chance.below(4) {
        one_fault(&mut bytes, &mut chance);
    }
    bytes
}

fn one_fault(bytes: &mut Vec<u8>, chance: &mut Chance) {
    if bytes.is_empty() {
        return;
    }
    let at = chance.below(bytes.len());
    match chance.below(8) {
        0 => bytes[at] ^= 1 << chance.below(8),
        1 => bytes[at] = chance.next() as u8,
        2 => bytes.truncate(at),
        3 => put(bytes, at, &TRAPS[chance.below(TRAPS.len())].to_le_bytes()[..1 << chance.below(4)]),
        4 => {
            let n = (1 + chance.below(64)).min(bytes.len() - at);
            bytes.drain(at..at + n);
        }
        5 => {
            let n = (1 + chance.below(256)).min(bytes.len() - at);
            let part = bytes[at..at + n].to_vec();
            let to = chance.below(bytes.len());
            bytes.splice(to..to, part);
        }
        6 => put(bytes, at, WORDS[chance.below(WORDS.len())].as_bytes()),
        _ => {
            let n = (1 + chance.below(16)).min(bytes.len() - at);
            bytes[at..at + n].fill(chance.next() as u8);
        }
    }
}

/// Overwrites what is there; what reaches beyond the end is dropped.
fn put(bytes: &mut [u8], at: usize, what: &[u8]) {
    for (place, byte) in bytes[at..].iter_mut().zip(what) {
        *place = *byte;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_number_does_the_same_damage_and_others_other() {
        let whole: Vec<u8> = (0..=255).collect();
        assert_eq!(damaged(&whole, 7), damaged(&whole, 7));
        let differing = (0..200).filter(|n| damaged(&whole, *n) != whole).count();
        assert!(differing > 190, "{differing}");
        assert_eq!(damaged(&[], 3), []);
    }
}
