//! The secret of a de-identification and what follows from it: pseudonyms, UIDs and one shift of all dates for each patient.
//!
//! Source: HMAC, Krawczyk et al. 1997 (RFC 2104) with SHA-256 (FIPS 180-4); UIDs after DICOM PS3.5 annex B.2.

use sha2::{Digest, Sha256};

/// Bytes of a key.
pub(super) const N_KEY_BYTES: usize = 32;

/// Bytes SHA-256 works on at a time.
const N_BLOCK_BYTES: usize = 64;

/// The least and the most days a patient's dates are moved to the past: never to the future, and far enough to hide the season.
const SHIFT_DAYS: std::ops::RangeInclusive<u64> = 365..=3650;

/// Whoever holds it can tell which pseudonym belongs to which patient.
#[derive(Clone, PartialEq, Eq)]
pub struct Key([u8; N_KEY_BYTES]);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(secret)")
    }
}

impl Key {
    /// A key from its bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; N_KEY_BYTES]) -> Self {
        Self(bytes)
    }

    /// The keyed hash of a text; `purpose` keeps the hashes of one text for different uses apart.
    fn hash(&self, purpose: &str, text: &str) -> [u8; 32] {
        let message = [purpose.as_bytes(), b"\0", text.trim_matches(['\0', ' ']).as_bytes()].concat();
        hmac_sha256(&self.0, &message)
    }

    /// The first `n` hexadecimal digits of a keyed hash.
    fn digits(&self, purpose: &str, text: &str, n: usize) -> String {
        let hex: String = self.hash(purpose, text).iter().map(|byte| format!("{byte:02x}")).collect();
        hex[..n].to_owned()
    }

    /// The pseudonym of a patient, such as `P3f9c0a7be4d21c58`: also what stands for the name. Letters and digits alone, so that it is
    /// a label of a BIDS tree, too.
    #[must_use]
    pub fn patient(&self, patient_id: &str) -> String {
        format!("P{}", self.digits("patient", patient_id, 16))
    }

    /// Days by which all dates of a patient are moved: −3650 to −365.
    #[must_use]
    pub fn shift_days(&self, patient_id: &str) -> i64 {
        let hash = self.hash("days", patient_id);
        let number = u64::from_be_bytes(std::array::from_fn(|n| hash[n]));
        let n_choices = SHIFT_DAYS.end() - SHIFT_DAYS.start() + 1;
        -((SHIFT_DAYS.start() + number % n_choices) as i64)
    }

    /// The UID that stands for another one everywhere, below root 2.25.
    #[must_use]
    pub fn uid(&self, uid: &str) -> String {
        let hash = self.hash("uid", uid);
        let mut bytes: [u8; 16] = std::array::from_fn(|n| hash[n]);
        bytes[6] = (bytes[6] & 0x0f) | 0x80;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        format!("2.25.{}", u128::from_be_bytes(bytes))
    }

    /// A short stand-in for an identifier of another kind (study, accession, label): 14 characters after its first letter, as
    /// VR SH allows.
    #[must_use]
    pub fn short(&self, letter: char, identifier: &str) -> String {
        format!("{letter}-{}", self.digits("identifier", identifier, 13))
    }

    /// The name of a folder or file in the output that stands for a UID.
    #[must_use]
    pub fn file_name(&self, uid: &str) -> String {
        self.digits("file", uid, 16)
    }
}

/// HMAC with SHA-256.
fn hmac_sha256(key: &[u8; N_KEY_BYTES], message: &[u8]) -> [u8; 32] {
    let padded = |with: u8| -> [u8; N_BLOCK_BYTES] { std::array::from_fn(|n| key.get(n).copied().unwrap_or(0) ^ with) };
    let inner = Sha256::new().chain_update(padded(0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(padded(0x5c)).chain_update(inner).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_the_one_of_the_standard() {
        // Python 3.11 hmac.new(bytes(range(32)), b"patient\0P01", "sha256").hexdigest()
        let key: [u8; 32] = std::array::from_fn(|n| n as u8);
        let hex: String = hmac_sha256(&key, b"patient\0P01").iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(hex, "5d2545aacbf4fd44984a8dc3fc851f114cb8ffc0212a00730b3e87c9e05c3ea2");
        assert_eq!(Key::from_bytes(key).patient(" P01 "), format!("P{}", &hex[..16]));
    }

    #[test]
    fn what_follows_from_a_key_is_stable_valid_and_of_this_key() {
        let (key, other) = (Key::from_bytes([7; 32]), Key::from_bytes([8; 32]));
        assert_eq!(key.uid("1.2.3"), key.uid("1.2.3\0"));
        assert_ne!(key.uid("1.2.3"), other.uid("1.2.3"));
        assert_ne!(key.patient("A"), key.patient("B"));
        assert_eq!(key.short('S', "x").len(), 15);
        let shifts: Vec<i64> = (0..500).map(|n| key.shift_days(&n.to_string())).collect();
        assert!(shifts.iter().all(|days| (-3650..=-365).contains(days)));
        assert!(shifts.iter().min() < Some(&-3500) && shifts.iter().max() > Some(&-500));
        assert_eq!(format!("{key:?}"), "Key(secret)");
    }
}
