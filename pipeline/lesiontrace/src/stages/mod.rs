//! The stages of one patient, in order: load, segment, register, measure, track, margin, assess, report. Each is a function from
//! values to values with notes; `patient.rs` calls them.

pub(crate) mod assess;
pub(crate) mod bare_scans;
pub(crate) mod critical;
pub(crate) mod display;
pub(crate) mod dose;
pub(crate) mod find;
mod given_map;
pub(crate) mod history;
pub(crate) mod import;
pub(crate) mod key_images;
pub(crate) mod load;
pub(crate) mod looked;
pub(crate) mod margin;
pub(crate) mod marks;
pub(crate) mod measure;
pub(crate) mod overlay;
pub(crate) mod page;
pub(crate) mod pet;
pub(crate) mod phase;
pub(crate) mod pictures;
pub(crate) mod pieces;
pub(crate) mod prompted;
pub(crate) mod register;
mod registration_map;
pub(crate) mod registration_view;
pub(crate) mod review_view;
pub(crate) mod rows;
mod same_frame;
pub(crate) mod second_look;
pub(crate) mod segment;
pub(crate) mod track;
pub(crate) mod treated;
pub(crate) mod viewer;
pub(crate) mod viewer_lesions;

/// A stage's name, version and the sentence it adds to a report's methods section.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stage {
    /// Name, as in the ledger.
    pub(crate) name: &'static str,
    /// Raised when the same input gives another output.
    pub(crate) version: u32,
}

/// Every stage, in order. Names and versions enter the key by which `--resume` knows that nothing changed.
pub(crate) const ALL: &[Stage] = &[
    Stage { name: "load", version: 4 },
    Stage { name: "segment", version: 6 },
    Stage { name: "register", version: 9 },
    Stage { name: "measure", version: 10 },
    Stage { name: "track", version: 9 },
    Stage { name: "margin", version: 8 },
    Stage { name: "assess", version: 9 },
    Stage { name: "report", version: 9 },
];

/// A stage with its version, for keys of what it made.
pub(crate) fn versioned(name: &str) -> String {
    let stage = ALL.iter().find(|stage| stage.name == name);
    format!("{name} {}", stage.map_or(0, |stage| stage.version))
}
