//! What makes the program at home in a shell.

use std::path::PathBuf;

use clap::Args;
use clap_complete::Shell;

use crate::schema::Document;

#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell.
    #[arg(value_enum)]
    pub(crate) shell: Shell,
}

#[derive(Debug, Args)]
pub(crate) struct Man {
    /// Folder to write the pages into; made where it is missing.
    pub(crate) folder: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Schema {
    /// Of which document.
    #[arg(value_enum)]
    pub(crate) document: Document,
}
