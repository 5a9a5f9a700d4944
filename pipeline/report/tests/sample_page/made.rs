//! How the sample page was made, and what is to be doubted on it.

use imaging::Note;
use lesiontrace_report::{Component, Provenance, RunBlock};

use super::text;

pub(super) fn notes() -> Vec<Note> {
    vec![
        Note::error(
            "target_not_measured",
            "L2, 2024-08-21",
            "The longest diameter could not be measured because of motion, so the sum of this visit is incomplete. Repeat the reading or confirm NE.",
        ),
        Note::warning(
            "mask_touches_border",
            "L1, 2024-02-28",
            "The ablation zone touches the liver capsule along 6 % of its surface; the margin there was left out.",
        ),
        Note::info(
            "series_chosen",
            "2024-05-22",
            "Two portal venous series were usable; the thinner one (2 mm) was measured.",
        ),
    ]
}

pub(super) fn methods() -> Vec<String> {
    vec![
        text("Follow-up images were carried onto baseline by an affine, then a deformable registration."),
        text("Diameters are the longest in-plane chords of the 0.5 contour of one acquired slice (Eisenhauer 2009)."),
        text("Margins are signed surface distances from tumour to ablation zone, area-weighted."),
    ]
}

pub(super) fn provenance() -> Provenance {
    Provenance {
        components: vec![
            Component { what: text("lesiontrace"), version: text("0.1.0"), digest: String::new() },
            Component {
                what: text("criterion recist_1_1"),
                version: text("1"),
                digest: text("sha256:6b51d431df5d7f141cbececcf79edf3dd861c3b4069f0b11661a3eefacbba918"),
            },
        ],
    }
}

pub(super) fn run() -> RunBlock {
    RunBlock {
        generated_at: Some(text("2025-02-01T09:30:00Z")),
        command_line: Some(text("lesiontrace run study.toml --archive ARCHIVE --out OUT")),
        hardware: Some(text("16 threads")),
        duration: Some(text("41.8 s")),
    }
}
