//! One file per command: checks what was written on the command line, calls the crates, prints or writes what came out.

mod init;
mod phantom;
mod status;

use crate::cli::{Cli, Command};
use crate::exit::Failure;

/// Calls the command; returns its exit code.
pub(crate) fn dispatch(cli: &Cli) -> Result<u8, Failure> {
    match &cli.command {
        Command::Status(args) => status::run(args),
        Command::Init(args) => init::run(args),
        Command::Phantom(args) => phantom::run(args, &cli.global),
        _ => Err(Failure::internal(anyhow::anyhow!("not reached"))),
    }
}
