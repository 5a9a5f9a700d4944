//! Two hundred damaged copies of every model card there is: each is a card or an error, never a panic.

#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may unwrap and read files")]

use std::fs;
use std::path::Path;

use lesiontrace_inference::Card;
use testkit::damage::damaged;

const N_DAMAGED: u64 = 200;

/// The cards of the models shipped, and the one printed for those who write their own.
fn cards() -> Vec<String> {
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models");
    let readme = fs::read_to_string(models.join("README.md")).unwrap();
    let printed = readme.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let mut cards = vec![printed.to_owned()];
    for folder in fs::read_dir(&models).unwrap().flatten().map(|entry| entry.path()).filter(|path| path.is_dir()) {
        cards.push(fs::read_to_string(folder.join("card.toml")).unwrap());
    }
    cards.sort();
    cards
}

#[test]
fn damaged_cards_are_cards_or_errors() {
    for card in cards() {
        Card::parse(&card).unwrap();
        // A card that is no text any more is refused before it is parsed.
        let texts = (0..N_DAMAGED).filter_map(|number| String::from_utf8(damaged(card.as_bytes(), number)).ok());
        let results: Vec<bool> = texts.map(|text| Card::parse(&text).is_ok()).collect();
        assert!(results.len() > 100, "{} damaged cards are text", results.len());
        assert!(results.contains(&false), "damage that no reader notices is none");
    }
}
