//! A model's folder: the card and the network it vouches for.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::card::{Card, CardError, Fold};

/// Name of the card's file in a model's folder.
pub const CARD_FILE: &str = "card.toml";

/// Why a folder holds no usable model.
#[derive(Debug, Error)]
pub enum ModelError {
    /// No card, or not readable.
    #[error(
        "expected a model card at {path}: {source}; name a folder that holds {CARD_FILE} and the network it describes"
    )]
    NoCard {
        /// Where it was looked for.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The card is wrong.
    #[error("{path}: {source}")]
    Card {
        /// The card.
        path: PathBuf,
        /// What is wrong with it.
        source: CardError,
    },
    /// The network's file is not there.
    #[error("the card names the network {path}, which cannot be read: {source}; fetch the model again")]
    NoNetwork {
        /// Where it was looked for.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another network than the card describes.
    #[error(
        "the network {path} is not the one its card describes: expected SHA-256 {expected}, found {found}; fetch the model again, or, if the network was replaced on purpose, measure its quality again and write a new card under a new version"
    )]
    Digest {
        /// The network.
        path: PathBuf,
        /// The card's digest.
        expected: String,
        /// The file's digest.
        found: String,
    },
}

/// A card with its network, checked against each other.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// The card.
    pub card: Card,
    /// The network's file.
    pub path: PathBuf,
    /// Its bytes: what is run is what was checked.
    pub network: Vec<u8>,
    /// The bytes of the networks of other folds, in the card's order.
    pub folds: Vec<Vec<u8>>,
    /// The bytes of the networks that find a lesion's extent, in the card's order.
    pub extents: Vec<Vec<u8>>,
}

impl Model {
    /// Reads card and networks and compares the digests. No runtime is needed.
    pub fn open(dir: &Path) -> Result<Self, ModelError> {
        let card = read_card(dir)?;
        let path = dir.join(&card.file);
        let network = read_network(&path, &card.sha256)?;
        let read = |further: &[Fold]| -> Result<Vec<_>, _> {
            further.iter().map(|fold| read_network(&dir.join(&fold.file), &fold.sha256)).collect()
        };
        let (folds, extents) = (read(&card.folds)?, read(card.extent_networks())?);
        Ok(Self { card, path, network, folds, extents })
    }
}

fn read_network(path: &Path, expected: &str) -> Result<Vec<u8>, ModelError> {
    let network = fs::read(path).map_err(|source| ModelError::NoNetwork { path: path.to_owned(), source })?;
    let found = sha256(&network);
    if found == expected {
        Ok(network)
    } else {
        Err(ModelError::Digest { path: path.to_owned(), expected: expected.to_owned(), found })
    }
}

/// Reads a folder's card alone.
pub fn read_card(dir: &Path) -> Result<Card, ModelError> {
    let path = dir.join(CARD_FILE);
    let text = fs::read_to_string(&path).map_err(|source| ModelError::NoCard { path: path.clone(), source })?;
    Card::parse(&text).map_err(|source| ModelError::Card { path, source })
}

/// The models in the folders of `root`, by folder name; a folder without a card is none, one with a wrong card is said to be.
pub fn list_models(root: &Path) -> io::Result<Vec<(PathBuf, Result<Card, ModelError>)>> {
    let mut folders = fs::read_dir(root)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    folders.retain(|folder| folder.join(CARD_FILE).is_file());
    folders.sort();
    Ok(folders
        .into_iter()
        .map(|folder| {
            let card = read_card(&folder);
            (folder, card)
        })
        .collect())
}

/// SHA-256 in lower-case hexadecimal.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    use std::fmt::Write;
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string can always be written to");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn test_models() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../test_data/models")
    }

    #[test]
    fn sha256_of_nothing_is_the_known_one() {
        // FIPS 180-4, the empty message.
        assert_eq!(sha256(b""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }

    #[test]
    fn a_changed_network_is_refused_with_both_digests() {
        let dir = tempfile::tempdir().unwrap();
        let model = test_models().join("bright-0.1.0");
        fs::copy(model.join(CARD_FILE), dir.path().join(CARD_FILE)).unwrap();
        let missing = Model::open(dir.path()).unwrap_err();
        assert!(matches!(missing, ModelError::NoNetwork { .. }));
        let mut network = fs::read(model.join("model.onnx")).unwrap();
        fs::write(dir.path().join("model.onnx"), &network).unwrap();
        let opened = Model::open(dir.path()).unwrap();
        assert_eq!(opened.network, network);
        network[100] ^= 1;
        fs::write(dir.path().join("model.onnx"), &network).unwrap();
        let message = Model::open(dir.path()).unwrap_err().to_string();
        assert!(message.contains(&opened.card.sha256) && message.contains(&sha256(&network)), "{message}");
    }

    #[test]
    fn the_list_is_in_order_and_names_what_is_wrong() {
        let models = list_models(&test_models()).unwrap();
        let names: Vec<String> = models.iter().map(|(_, card)| card.as_ref().unwrap().name.clone()).collect();
        assert_eq!(names, ["bright", "prompted", "seeded", "shifted", "sized"]);
        assert!(Model::open(Path::new("/nowhere")).unwrap_err().to_string().contains("card.toml"));
    }
}
