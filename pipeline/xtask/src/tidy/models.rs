//! Models: a card beside every network, and the network the card speaks of.

use sha2::{Digest as _, Sha256};
use toml::{Table, Value};

use super::Violation;
use crate::repository::Repository;

const MAX_BYTES: usize = 10_000_000;
const FOLDERS: [&str; 2] = ["models", "test_data/models"];

/// Every model folder has a card whose network is there, has its digest and is below 10 MB, with licence, quality and limits.
pub(super) fn cards(repository: &Repository) -> Vec<Violation> {
    let mut violations = Vec::new();
    for parent in FOLDERS {
        for name in repository.entries(parent).into_iter().filter_map(|entry| entry.strip_suffix('/')) {
            let folder = format!("{parent}/{name}");
            let card_path = format!("{folder}/card.toml");
            let message = match repository.text(&card_path).map(str::parse::<Table>) {
                None => vec!["a model's folder has a card.toml (models/README.md)".to_owned()],
                Some(Err(error)) => vec![format!("expected TOML: {error}")],
                Some(Ok(card)) => faults(repository, &folder, name, &card),
            };
            violations.extend(message.into_iter().map(|message| Violation::file(&card_path, message)));
        }
    }
    violations
}

fn faults(repository: &Repository, folder: &str, name: &str, card: &Table) -> Vec<String> {
    let text = |key: &str| card.get(key).and_then(Value::as_str).unwrap_or_default().trim();
    let mut faults = Vec::new();
    let expected = format!("{}-{}", text("name"), text("version"));
    if expected != name {
        faults.push(format!("expected the folder {expected} as name and version say, found {name}"));
    }
    if text("licence").is_empty() {
        faults.push("no licence".to_owned());
    }
    for key in ["quality", "limits"] {
        if card.get(key).and_then(Value::as_array).is_none_or(Vec::is_empty) {
            faults.push(format!("no {key}: say how good it is and where it fails"));
        }
    }
    let network = format!("{folder}/{}", text("file"));
    match repository.files.get(&network) {
        None => faults.push(format!("{network} is not in the repository")),
        Some(file) => {
            let digest = sha256(&file.bytes);
            if digest != text("sha256") {
                faults.push(format!("{network}: expected SHA-256 {}, found {digest}", text("sha256")));
            }
            if file.bytes.len() >= MAX_BYTES {
                faults.push(format!("{network}: {} bytes, expected fewer than {MAX_BYTES}", file.bytes.len()));
            }
        }
    }
    faults
}

fn sha256(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SHA-256 of "abc": NIST FIPS 180-2, appendix B.1.
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    fn found(network: &str, card: &str) -> Vec<String> {
        let repository = Repository::of(&[("models/a-1/model.onnx", network), ("models/a-1/card.toml", card)]);
        cards(&repository).into_iter().map(|v| v.message).collect()
    }

    #[test]
    fn a_card_must_speak_of_its_network() {
        let card = format!(
            "name = \"a\"\nversion = \"1\"\nfile = \"model.onnx\"\nsha256 = \"{ABC}\"\nlicence = \"MIT\"\nlimits = [\"x\"]\n[[quality]]\nvalue = 1.0\n"
        );
        assert_eq!(found("abc", &card), Vec::<String>::new());
        assert!(found("abd", &card)[0].contains("SHA-256"));
        assert!(found("abc", &card.replace("limits = [\"x\"]", "limits = []"))[0].contains("limits"));
        assert!(found("abc", &card.replace("model.onnx", "other.onnx"))[0].contains("other.onnx"));
    }

    #[test]
    fn a_model_without_a_card_is_found() {
        let repository = Repository::of(&[("models/README.md", ""), ("models/a-1/model.onnx", "abc")]);
        assert_eq!(cards(&repository).len(), 1);
    }
}
