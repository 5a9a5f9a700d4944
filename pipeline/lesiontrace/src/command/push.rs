//! `push`: what `export` wrote into an archive.

use std::path::{Path, PathBuf};

use transfer::{Pushed, Selection, Sent, SentState, objects_of};

use super::archive_address::{connection, failure};
use crate::cli::{Global, Push};
use crate::exit::{self, Failure};
use crate::exported::Exported;
use crate::{out, session};

/// Sends; exit code 1 when some objects were not stored, 75 when the rest may be stored later.
pub(crate) fn run(args: &Push, global: &Global) -> Result<u8, Failure> {
    let connection = connection(&args.to, &args.connection, None)?;
    let selection = if args.every_file { Selection::EveryFile } else { Selection::Results };
    let files = objects_of(&args.out, selection).map_err(failure)?;
    if files.is_empty() {
        let remedy = if args.every_file { "name another folder" } else { "`lesiontrace export` writes them" };
        let message = format!("expected DICOM objects in {}, found none; {remedy}", args.out.display());
        return Err(Failure::bad_input(anyhow::anyhow!(message)));
    }
    let n_found = files.len();
    let files = if args.every_file { files } else { present(files).map_err(Failure::io)? };
    let n_older = n_found - files.len();
    if files.is_empty() {
        let message = format!("nothing is sent: all {n_older} objects tell of results that have changed since");
        return Err(Failure::bad_input(anyhow::anyhow!(message)));
    }
    let done = if n_older == 0 { exit::DONE } else { exit::SOME_FAILED };
    if args.dry_run {
        let names: String = files.iter().map(|file| format!("{}\n", file.display())).collect();
        return out::print(&names).map(|()| done).map_err(Failure::io);
    }
    let progress = session::progress(global, files.len(), "objects");
    progress.set_message("sending");
    let mut on_file = || progress.inc(1);
    let mut request = transfer::Push { connection: &connection, files: &files, on_file: &mut on_file };
    let pushed = transfer::push(&mut request).map_err(failure)?;
    progress.finish_and_clear();
    say(&pushed);
    if args.json {
        out::print_json(&pushed).map_err(Failure::io)?;
    } else {
        out::print(&text(&pushed)).map_err(Failure::io)?;
    }
    Ok(match code(&pushed) {
        exit::DONE => done,
        code => code,
    })
}

/// The objects of `patients/<id>/dicom` that tell of the present results; those left out are named with the reason.
fn present(files: Vec<PathBuf>) -> anyhow::Result<Vec<PathBuf>> {
    let mut present = Vec::with_capacity(files.len());
    for file in files {
        let (Some(folder), Some(name)) = (file.parent().and_then(Path::parent), file.file_name()) else { continue };
        match Exported::read(folder)?.is_older(folder, &name.to_string_lossy())? {
            None => present.push(file),
            Some(reason) => {
                tracing::error!("{}", out::plain_line(&format!("{} is not sent: {reason}", file.display())));
            }
        }
    }
    Ok(present)
}

fn say(pushed: &Pushed) {
    for Sent { file, state, reason, .. } in &pushed.objects {
        let Some(reason) = reason else { continue };
        let line = out::plain_line(&format!("{}: {reason}", file.display()));
        match state {
            SentState::Failed => tracing::error!("{line}"),
            SentState::Stored | SentState::Present => tracing::warn!("{line}"),
        }
    }
}

fn n(pushed: &Pushed, state: SentState) -> usize {
    pushed.objects.iter().filter(|sent| sent.state == state).count()
}

fn code(pushed: &Pushed) -> u8 {
    let n_failed = n(pushed, SentState::Failed);
    match (n_failed, pushed.objects.iter().any(|sent| sent.is_transient)) {
        (0, _) => exit::DONE,
        (_, true) => exit::TRANSIENT,
        (n, _) if n < pushed.objects.len() => exit::SOME_FAILED,
        _ => exit::BAD_INPUT,
    }
}

fn text(pushed: &Pushed) -> String {
    let mut text = format!(
        "stored {}, {} were there already, {} not stored, {} not come to; {:.1} s\n",
        n(pushed, SentState::Stored),
        n(pushed, SentState::Present),
        n(pushed, SentState::Failed),
        pushed.n_left,
        pushed.seconds
    );
    if pushed.objects.iter().any(|sent| sent.is_transient) {
        text.push_str("the archive could not go on; the same command later sends what is missing\n");
    }
    text
}
