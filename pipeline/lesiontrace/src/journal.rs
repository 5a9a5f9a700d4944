//! `OUT/logs/<run>.jsonl`: one line a step of a patient. Every process writes a file of its own, which also works on shared file
//! systems. No names, no paths, no messages: the ledger holds these.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

/// Writes the lines of one run.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    run: String,
    host: String,
    job: Option<String>,
    array_task: Option<String>,
}

/// What happened to a patient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Happened {
    /// It is being done.
    Started,
    /// A stage begins.
    Reached,
    /// Its results are written.
    Done,
    /// It has none, for the reason of the code.
    Failed,
    /// A signal ended it.
    Interrupted,
    /// Another process does it, or has just done it.
    Left,
}

/// One line.
#[derive(Debug, Serialize)]
struct Line<'a> {
    time: String,
    run: &'a str,
    host: &'a str,
    pid: u32,
    slurm_job_id: Option<&'a str>,
    slurm_array_task_id: Option<&'a str>,
    patient: &'a str,
    event: Happened,
    stage: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    code: &'a str,
}

impl Journal {
    /// The journal of a run that begins now.
    pub(crate) fn of(out: &Path) -> Self {
        let variable = |name: &str| std::env::var(name).ok();
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned();
        let run = format!("{}-{}", jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ"), std::process::id());
        Self {
            path: out.join("logs").join(format!("{}.jsonl", crate::out::safe_name(&format!("{run}-{host}")))),
            run,
            host,
            job: variable("SLURM_ARRAY_JOB_ID").or_else(|| variable("SLURM_JOB_ID")),
            array_task: variable("SLURM_ARRAY_TASK_ID"),
        }
    }

    /// Appends a line. One that cannot be written is no reason to stop.
    pub(crate) fn write(&self, patient: &str, event: Happened, stage: &str, code: &str) {
        let line = Line {
            time: jiff::Timestamp::now().to_string(),
            run: &self.run,
            host: &self.host,
            pid: std::process::id(),
            slurm_job_id: self.job.as_deref(),
            slurm_array_task_id: self.array_task.as_deref(),
            patient,
            event,
            stage,
            code,
        };
        let Ok(mut text) = serde_json::to_string(&line) else { return };
        text.push('\n');
        let written = self.append(text.as_bytes());
        if let Err(error) = written {
            tracing::debug!("{} cannot be written: {error}", self.path.display());
        }
    }

    /// In one write, so that lines of several threads do not mix.
    fn append(&self, line: &[u8]) -> std::io::Result<()> {
        if let Some(folder) = self.path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::File::options().create(true).append(true).open(&self.path)?.write_all(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_json_object_with_run_patient_and_stage() {
        let out = tempfile::tempdir().unwrap();
        let journal = Journal::of(out.path());
        journal.write("A-1", Happened::Reached, "segment", "");
        journal.write("A-1", Happened::Failed, "segment", "no_masks");
        let file = std::fs::read_dir(out.path().join("logs")).unwrap().next().unwrap().unwrap().path();
        let text = std::fs::read_to_string(file).unwrap();
        let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 2);
        assert_eq!((&lines[0]["event"], &lines[0]["code"]), (&"reached".into(), &serde_json::Value::Null));
        assert_eq!((&lines[1]["patient"], &lines[1]["code"]), (&"A-1".into(), &"no_masks".into()));
        assert_eq!(lines[0]["run"], lines[1]["run"]);
    }
}
