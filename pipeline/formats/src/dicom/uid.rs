//! Unique identifiers derived from names, so that the same input gives the same files.
//!
//! Source: DICOM PS3.5 annex B.2 (UUID derived UIDs, root 2.25).

use sha2::{Digest, Sha256};

/// A UID under root 2.25, from the first 128 bits of the SHA-256 of the parts (each preceded by its length, so that
/// `["ab", "c"]` and `["a", "bc"]` differ), with the version and variant bits of a name-based UUID. At most 44 characters.
#[must_use]
pub fn derived_uid(parts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    let mut bytes = [0_u8; 16];
    bytes.copy_from_slice(&hasher.finalize()[..16]);
    bytes[6] = (bytes[6] & 0x0f) | 0x80;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    format!("2.25.{}", u128::from_be_bytes(bytes))
}

/// Whether a text is a UID: at most 64 digits and dots, no part empty. Such a text is a safe name of a file.
#[must_use]
pub fn is_uid(text: &str) -> bool {
    text.len() <= 64 && text.split('.').all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_lead_out_of_a_folder_is_no_uid() {
        assert!(is_uid("1.2.840.10008.1.2"));
        assert!(is_uid("2.25.0"));
        for text in ["", ".", "..", "1..2", "1.2.", "../1", "1/2", "1.2 ", "1.2\0", &"1".repeat(65)] {
            assert!(!is_uid(text), "{text:?}");
        }
    }

    #[test]
    fn same_parts_same_uid_and_valid_characters() {
        let uid = derived_uid(&["patient 1", "2020-01-01", "ct"]);
        assert_eq!(uid, derived_uid(&["patient 1", "2020-01-01", "ct"]));
        assert_ne!(derived_uid(&["ab", "c"]), derived_uid(&["a", "bc"]));
        assert!(uid.len() <= 64 && uid.chars().all(|c| c.is_ascii_digit() || c == '.'));
    }
}
