//! `completions` and `man`: what a shell and `man` know of the program, made from its own command line.

use std::path::Path;

use anyhow::Context as _;
use clap::CommandFactory as _;

use crate::cli::{Cli, Completions, Man};
use crate::exit::{self, Failure};
use crate::out;

const NAME: &str = "lesiontrace";

/// Prints the completion script of a shell.
pub(crate) fn completions(args: &Completions) -> Result<u8, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), NAME, &mut script);
    out::print_raw(&script).map_err(Failure::io)?;
    Ok(exit::DONE)
}

/// Writes `lesiontrace.1` and `lesiontrace-COMMAND.1`, also for commands of commands.
pub(crate) fn man(args: &Man) -> Result<u8, Failure> {
    let mut program = Cli::command();
    program.build();
    std::fs::create_dir_all(&args.folder)
        .with_context(|| format!("making {}", args.folder.display()))
        .map_err(Failure::io)?;
    let n = pages(&program, NAME, &args.folder).map_err(Failure::io)?;
    out::print(&format!("{n} manual pages in {}\n", args.folder.display())).map_err(Failure::io)?;
    Ok(exit::DONE)
}

fn pages(command: &clap::Command, name: &str, folder: &Path) -> anyhow::Result<usize> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone()).title(name).render(&mut page).context("making a manual page")?;
    out::write_atomic(&folder.join(format!("{name}.1")), &page)?;
    let mut n = 1;
    for part in command.get_subcommands() {
        n += pages(part, &format!("{name}-{}", part.get_name()), folder)?;
    }
    Ok(n)
}
