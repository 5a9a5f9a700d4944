//! `pull`: images of an archive into a folder that `run` reads.

use std::fmt::Write as _;

use transfer::{Pulled, Query};

use super::archive_address::{connection, failure};
use crate::cli::{Global, Pull};
use crate::exit::{self, Failure};
use crate::{out, session};

/// Fetches; exit code 1 when some objects were not to be had, 75 when the rest may be had later.
pub(crate) fn run(args: &Pull, global: &Global) -> Result<u8, Failure> {
    let query = Query::parse(&args.query).map_err(failure)?;
    let connection = connection(&args.from, &args.connection, args.receive_port)?;
    let progress = session::progress(global, 0, "objects");
    progress.set_message("fetching");
    let mut on_object = |_| progress.inc(1);
    let mut request = transfer::Pull {
        connection: &connection,
        query: &query,
        archive: (!args.dry_run).then_some(args.out.as_path()),
        on_object: &mut on_object,
    };
    let pulled = transfer::pull(&mut request).map_err(failure)?;
    progress.finish_and_clear();
    for failed in &pulled.failed {
        let what = failed.sop_instance_uid.as_deref().map_or_else(String::new, |uid| format!(", instance {uid}"));
        tracing::error!("{}", out::plain_line(&format!("series {}{what}: {}", failed.series_uid, failed.reason)));
    }
    if args.json {
        out::print_json(&pulled).map_err(Failure::io)?;
    } else {
        out::print(&text(args, &pulled)).map_err(Failure::io)?;
    }
    Ok(code(&pulled))
}

fn code(pulled: &Pulled) -> u8 {
    let is_anything_there = pulled.n_fetched + pulled.n_present > 0;
    match (pulled.failed.is_empty(), pulled.failed.iter().any(|failed| failed.is_transient)) {
        (true, _) => exit::DONE,
        (_, true) => exit::TRANSIENT,
        (_, false) if is_anything_there => exit::SOME_FAILED,
        (_, false) => exit::BAD_INPUT,
    }
}

fn text(args: &Pull, pulled: &Pulled) -> String {
    let Pulled { n_studies, n_series, n_instances, n_fetched, n_present, .. } = pulled;
    let mut text = format!("found {n_instances} objects in {n_series} series of {n_studies} imaging studies\n");
    if args.dry_run {
        text.push_str("nothing was fetched (--dry-run)\n");
        return text;
    }
    let mib = pulled.n_bytes as f64 / f64::from(1 << 20);
    let _ = writeln!(
        text,
        "fetched {n_fetched} ({mib:.1} MiB in {:.1} s), {n_present} were there already, {} not fetched; they are in {}",
        pulled.seconds,
        pulled.failed.len(),
        args.out.display()
    );
    if pulled.failed.iter().any(|failed| failed.is_transient) {
        text.push_str("the archive could not go on; the same command later fetches what is missing\n");
    }
    text
}
