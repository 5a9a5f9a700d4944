//! One file per command: checks what was written on the command line, calls the crates, prints or writes what came out.

mod archive_address;
mod assess;
mod cache;
mod candidates;
mod case;
mod collect;
mod compare_masks;
mod convert;
mod criterion;
mod deidentify;
mod demo;
mod export;
mod index;
mod init;
mod margin;
mod measure;
mod model;
mod pet_case;
mod phantom;
mod pull;
mod push;
mod register;
mod report;
mod review;
mod run;
mod schema;
mod segment;
mod segment_each;
mod segment_memory;
mod segment_prompted;
mod shell;
mod status;
mod survival;
mod suv;
mod track;
mod validate;
mod warp;

use crate::cli::{Cli, Command};
use crate::exit::Failure;

/// Calls the command; returns its exit code.
pub(crate) fn dispatch(cli: &Cli) -> Result<u8, Failure> {
    match &cli.command {
        Command::Status(args) => status::run(args),
        Command::Run(args) => run::run(args, &cli.global),
        Command::Cache(args) => cache::run(args),
        Command::Collect(args) => collect::run(args),
        Command::Init(args) => init::run(args),
        Command::Phantom(args) => phantom::run(args, &cli.global),
        Command::Index(args) => index::run(args, &cli.global),
        Command::Convert(args) => convert::run(args),
        Command::Suv(args) => suv::run(args),
        Command::Segment(args) => segment::run(args, &cli.global),
        Command::Register(args) => register::run(args),
        Command::Warp(args) => warp::run(args),
        Command::Measure(args) => measure::run(args),
        Command::Candidates(args) => candidates::run(args),
        Command::CompareMasks(args) => compare_masks::run(args),
        Command::Validate(args) => validate::run(args),
        Command::Track(args) => track::run(args),
        Command::Margin(args) => margin::run(args),
        Command::Assess(args) => assess::run(args),
        Command::Case(args) => case::run(args),
        Command::Survival(args) => survival::run(args),
        Command::Model(args) => model::run(args, &cli.global),
        Command::Criterion(args) => criterion::run(args),
        Command::Deidentify(args) => deidentify::run(args),
        Command::Export(args) => export::run(args),
        Command::Report(args) => report::run(args),
        Command::Review(args) => review::run(args),
        Command::Pull(args) => pull::run(args, &cli.global),
        Command::Push(args) => push::run(args, &cli.global),
        Command::Demo(args) => demo::run(args, &cli.global),
        Command::Schema(args) => schema::run(args),
        Command::Completions(args) => shell::completions(args),
        Command::Man(args) => shell::man(args),
    }
}
