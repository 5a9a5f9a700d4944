//! What a finished run stored, to make pages and tables anew: study, criteria and preset of the run, and of each patient what images
//! gave. Refused where this program would say something else than the one that ran.

use std::path::Path;

use anyhow::Context as _;
use oncology::reads::ReadRow;

use crate::conclude::{Concluded, Means, conclude};
use crate::config::{OwnFiles, Study};
use crate::ledger::{Entry, State};
use crate::manifest::Part;
use crate::niivue::Niivue;
use crate::observed::Observed;
use crate::reading;
use crate::rules::Rules;
use crate::run::Settings;
use crate::stages;
use crate::stages::track::track;
use crate::{out, viewer_file};

/// The settings of a finished run.
pub(crate) struct Finished {
    study: Study,
    rules: Rules,
    parts: Vec<Part>,
    niivue: Option<Niivue>,
}

impl Finished {
    /// Reads them from an output folder.
    pub(crate) fn read(folder: &Path) -> anyhow::Result<Self> {
        let settings = Settings::read(folder).with_context(|| {
            format!(
                "expected the settings of a run (equipment.json) in {}; is it the --out folder of a run?",
                folder.display()
            )
        })?;
        let again = "run it again with --resume first";
        let study = settings.study.with_context(|| {
            format!("{} was written by an older version, which did not keep its study; {again}", folder.display())
        })?;
        let rules = match &settings.rules {
            Some(texts) => Rules::from_texts(texts)?,
            None => Rules::of(&study, &OwnFiles::default())?,
        };
        let now = Part { what: "lesiontrace".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned(), sha256: None };
        for part in std::iter::once(&now).chain(&rules.parts) {
            anyhow::ensure!(
                settings.parts.contains(part),
                "{} was made with another {} than version {:?} of this program; {again}",
                folder.display(),
                part.what,
                part.version
            );
        }
        for stage in stages::ALL {
            anyhow::ensure!(
                settings.stages.get(stage.name) == Some(&stage.version),
                "{} was made with another version of the stage {}; {again}",
                folder.display(),
                stage.name
            );
        }
        Ok(Self { study, rules, parts: settings.parts, niivue: None })
    }

    /// Reads what draws the viewer, where a patient's page has one: pages are written with what they had.
    pub(crate) fn with_niivue(mut self, folder: &Path, entries: &[Entry]) -> anyhow::Result<Self> {
        let has_viewer = |entry: &Entry| viewer_file::is_there(&out::patient_folder(folder, &entry.id));
        self.niivue = entries.iter().any(has_viewer).then(Niivue::find).transpose()?;
        Ok(self)
    }

    /// What is needed besides what was seen of a patient.
    pub(crate) fn means(&self) -> Means<'_> {
        Means {
            study: &self.study,
            tables: &self.rules.tables,
            further: &self.rules.further,
            preset: &self.rules.preset,
            parts: &self.parts,
            niivue: self.niivue.as_ref(),
        }
    }

    /// Tables and page of a patient from what the run stored, with the reads in force and those given. `Err` is a reason for a message.
    pub(crate) fn conclude(&self, folder: &Path, entry: &Entry, given: &[ReadRow]) -> anyhow::Result<Concluded<'_>> {
        anyhow::ensure!(entry.state == State::Done, "{}", why_not_done(entry));
        let own = out::patient_folder(folder, &entry.id);
        let observed = Observed::read(&own, &entry.files)?;
        let volumes = viewer_file::read(&own, &entry.files)?;
        let reads = reading::with(reading::stored(&own)?, given);
        let tracked = track(&observed.visits, &observed.patient.treatments, &self.study.tracking)?;
        Ok(conclude((&observed, volumes), &tracked, &reads, self.means(), &|_| Ok(()))?)
    }
}

fn why_not_done(entry: &Entry) -> String {
    match entry.state {
        State::Stale => format!("{}; {}", entry.message, entry.remedy),
        _ => "the run did not finish this patient; `lesiontrace status` says why".to_owned(),
    }
}
