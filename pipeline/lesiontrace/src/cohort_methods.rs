//! How a cohort's numbers were made, as the methods section of a paper would say it: only what really ran, each method with its
//! source. On the page, and as `cohort/methods.md`.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use imaging::registration::Quality;
use oncology::criteria::CriterionTable;
use oncology::criteria::table::{Confirmation, PdComparison, PrPersistence, Quantity};
use oncology::endpoint::Preset;
use oncology::endpoint::preset::Origin;
use oncology::endpoint::rule::{AfterMissedVisits, CensorAt, Death, EndpointRule, Level, NewTherapy, ProgressionDated};
use oncology::progression::LocalRule;
use oncology::reads::Outcome;
use survival::Profile;

use crate::collect::HowDone;
use crate::patient::CohortPatient;
use crate::study_tables::StudyTables;

/// The sentences, and the publications their numbers in brackets stand for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct CohortMethods {
    /// In order.
    pub(crate) sentences: Vec<String>,
    /// `[1]` is the first.
    pub(crate) references: Vec<String>,
}

/// What the sentences are about.
pub(crate) struct Made<'a> {
    /// How the run was made.
    pub(crate) how: &'a HowDone,
    /// Criteria, the leading one first.
    pub(crate) tables: &'a [CriterionTable],
    /// Endpoint definitions.
    pub(crate) preset: &'a Preset,
    /// Patients that are done.
    pub(crate) results: &'a [CohortPatient],
    /// The study's tables.
    pub(crate) rows: &'a StudyTables,
    /// Margin wanted, mm.
    pub(crate) margin_threshold_mm: f64,
}

/// The methods of a cohort.
pub(crate) fn cohort_methods(made: &Made<'_>) -> CohortMethods {
    let mut methods = CohortMethods::default();
    methods.images(made);
    methods.responses(made);
    methods.margins(made);
    methods.endpoints(made);
    methods.estimates(made);
    methods.models(made);
    methods.readers(made);
    methods
}

impl CohortMethods {
    /// As a file of its own.
    pub(crate) fn markdown(&self, cohort: &str) -> String {
        let mut text =
            format!("# Methods: {cohort}\n\n{}\n\n{}\n", report::RESEARCH_USE_NOTICE, self.sentences.join(" "));
        if !self.references.is_empty() {
            text.push_str("\n## References\n\n");
        }
        for (n, reference) in self.references.iter().enumerate() {
            let _ = writeln!(text, "{}. {reference}", n + 1);
        }
        text
    }

    fn say(&mut self, sentence: impl Into<String>) {
        self.sentences.push(sentence.into());
    }

    /// `[3]` for a publication, named once.
    fn cite(&mut self, source: &str) -> String {
        let at = self.references.iter().position(|known| known == source).unwrap_or_else(|| {
            self.references.push(source.to_owned());
            self.references.len() - 1
        });
        format!("[{}]", at + 1)
    }

    fn images(&mut self, made: &Made<'_>) {
        let results = made.results;
        let program = made.how.parts.iter().find(|part| part.what == "lesiontrace");
        let version = program.map_or("of unknown version", |part| part.version.as_str());
        let visits: usize = results.iter().map(|result| result.visits.len()).sum();
        self.say(format!(
            "{} patients with {visits} imaging visits were processed by lesiontrace {version}, each by the same steps; \
             each patient's page names those that ran.",
            results.len()
        ));
        let models: Vec<String> = made
            .how
            .parts
            .iter()
            .filter_map(|part| Some(format!("{} (version {})", part.what.strip_prefix("model ")?, part.version)))
            .collect();
        self.say(match models.as_slice() {
            [] => "Lesions, organ and ablation zones are outlines made elsewhere and handed in.".to_owned(),
            models => format!(
                "Where outlines were not handed in, they were made by {} through ONNX Runtime.",
                models.join(" and ")
            ),
        });
        // The first of a patient's is baseline itself.
        let follow_ups = results.iter().map(|result| result.registrations.len().saturating_sub(1)).sum::<usize>();
        if follow_ups > 0 {
            let judged = |quality: Quality| {
                let all = results.iter().flat_map(|result| result.registrations.iter().skip(1));
                all.filter(|one| one.to_baseline.quality == quality).count()
            };
            let kuhn = self.cite("Kuhn 1955, Naval Research Logistics Quarterly 2:83-97");
            self.say(format!(
                "{follow_ups} follow-ups were registered to baseline with lesions and ablation zones taken out of the \
                 metric ({} passed, {} were to be reviewed, {} failed); lesions were followed by the likeliest assignment \
                 as a whole {kuhn} at distances in units of the registration's error.",
                judged(Quality::Pass),
                judged(Quality::Review),
                judged(Quality::Fail),
            ));
        }
    }

    fn responses(&mut self, made: &Made<'_>) {
        for table in made.tables {
            let source = self.cite(&table.source);
            let (limits, options) = (&table.thresholds, &table.options);
            let what = match table.quantity {
                Quantity::Diameter => "longest diameters (short axes of nodes)",
                Quantity::ViableDiameter => "viable diameters",
            };
            let growth = match options.pd_comparison.value {
                PdComparison::AtLeast => "at least",
                PdComparison::MoreThan => "more than",
            };
            let lasting = match options.pr_persistence.value {
                PrPersistence::Sticky => "lasts until progression",
                PrPersistence::Strict => "is judged anew at each visit",
            };
            let confirmed = match options.confirmation.value {
                Confirmation::NotRequired => "without confirmation".to_owned(),
                Confirmation::Required => format!("confirmed after {} days or more", limits.confirm_days.value),
            };
            self.say(format!(
                "Response was judged by {} (version {}) {source} on {what} of at most {} targets, {} per organ: partial \
                 response from {} % below baseline, progression from {growth} {} % and {} mm above the smallest sum; a \
                 partial response {lasting}; treated targets count as {}; best response {confirmed}.",
                table.title,
                table.version,
                limits.max_targets.value,
                limits.max_targets_per_organ.value,
                limits.pr_decrease_percent.value,
                limits.pd_increase_percent.value,
                limits.pd_abs_mm.value,
                options.ablated_target.value.as_str(),
            ));
        }
    }

    fn margins(&mut self, made: &Made<'_>) {
        let margins: usize = made.results.iter().map(|result| result.margins.len()).sum();
        if margins > 0 {
            let source = self.cite("Ahmed et al. 2014, Radiology 273:241-260");
            self.say(format!(
                "The ablative margin of {margins} treatments of lesions is the signed distance from the tumour's surface \
                 before to the zone's surface after it, weighted by area, without the part within 5 mm of the capsule; \
                 more than {} mm was wanted {source}.",
                made.margin_threshold_mm
            ));
        }
    }

    fn endpoints(&mut self, made: &Made<'_>) {
        let preset = made.preset;
        let rows = || made.results.iter().flat_map(|result| &result.endpoints);
        let found: BTreeSet<&str> = rows().map(|row| row.endpoint.as_str()).collect();
        if found.is_empty() {
            return;
        }
        let source = self.cite(&preset.source);
        let origin = match preset.origin {
            Origin::CycleCompletion => "the last session of a treatment cycle",
            Origin::FirstTreatment => "the first treatment",
        };
        let local = match preset.local_rule {
            LocalRule::Contiguous => "touches its zone (2 mm, or the largest voxel spacing)".to_owned(),
            LocalRule::WithinMm(limit) => format!("lies within {limit} mm of its zone"),
        };
        self.say(format!(
            "Endpoints: {} (preset {}, version {}) {source}; time runs from {origin} in months of {} days{}; progression \
             is local where it {local}; a session opens a new cycle from {} days after the first of the running one.",
            preset.title,
            preset.id,
            preset.version,
            preset.days_per_month,
            preset.cutoff.map_or_else(String::new, |cutoff| format!(", nothing after {cutoff} counts")),
            preset.cycle_rule.gap_days,
        ));
        for rule in preset.endpoints.iter().filter(|rule| found.contains(rule.name.as_str())) {
            self.say(endpoint(rule));
        }
    }

    fn estimates(&mut self, made: &Made<'_>) {
        if made.rows.survival.is_empty() {
            return;
        }
        let kaplan_meier = self.cite("Kaplan and Meier 1958, J Am Stat Assoc 53:457-481");
        let (scale, median) = match made.preset.reporting.statistics {
            Profile::R => ("log", "from the bounds of the curve (as R survival)"),
            Profile::Spss => ("plain", "the median ± 1.96 standard errors (as SPSS)"),
            Profile::Lifelines => ("log-log", "from the bounds of the curve (as lifelines)"),
        };
        self.say(format!(
            "Survival was estimated by Kaplan and Meier {kaplan_meier} with Greenwood's variance and 95 % intervals on the \
             {scale} scale; the interval of a median is {median}."
        ));
        let follow_up = self.cite("Schemper and Smith 1996, Control Clin Trials 17:343-346");
        self.say(format!("Median follow-up is that of the reverse curve {follow_up}."));
        if made.rows.survival.iter().any(|row| row.log_rank_p.is_some()) {
            let source = self.cite("Mantel 1966, Cancer Chemother Rep 50:163-170");
            self.say(format!("Groups were compared by the log-rank test {source}."));
        }
        let competes = |row: &oncology::EndpointRow| row.event == 0 && !row.competing.is_empty();
        if made.results.iter().flat_map(|result| &result.endpoints).any(competes) {
            let source = self.cite("Aalen and Johansen 1978, Scand J Stat 5:141-150");
            self.say(format!("Where another event ends observation, cumulative incidences {source} stand beside."));
        }
    }

    fn models(&mut self, made: &Made<'_>) {
        if made.rows.cox.is_empty() {
            return;
        }
        let reporting = &made.preset.reporting;
        let source = self.cite("Cox 1972, J R Stat Soc B 34:187-220");
        let ties = match reporting.statistics {
            Profile::Spss => format!("Breslow's {}", self.cite("Breslow 1974, Biometrics 30:89-99")),
            _ => format!("Efron's {}", self.cite("Efron 1977, J Am Stat Assoc 72:557-565")),
        };
        self.say(format!(
            "Hazard ratios are of Cox models {source} with {ties} treatment of ties: each variable alone, then all with p \
             below {} together; patients without a variable are left out of its model.",
            reporting.screen_p
        ));
    }

    fn readers(&mut self, made: &Made<'_>) {
        let reads = || made.results.iter().flat_map(|result| &result.reads);
        let in_force = reads().filter(|read| read.outcome == Outcome::Applied).count();
        let readers: BTreeSet<&str> = reads().map(|read| read.reader.as_str()).collect();
        if !readers.is_empty() {
            self.say(format!(
                "{} decisions of {} readers were handed in, {in_force} of them are in force (reads.csv).",
                reads().count(),
                readers.len()
            ));
        }
        if made.how.is_frozen {
            self.say(
                "The analysis is frozen: runs with another program, study file, criterion, preset or model are refused.",
            );
        }
    }
}

/// `PFS (per patient): progression local …, or death; censored …`.
fn endpoint(rule: &EndpointRule) -> String {
    let level = match rule.level {
        Level::Patient => "patient",
        Level::Cycle => "treatment cycle",
        Level::TreatedLesion => "treated lesion",
        Level::Response => "patient who responded",
        Level::ConfirmedResponse => "patient whose response was confirmed",
    };
    let classes: Vec<&str> = rule.progression.iter().map(|class| class.words()).collect();
    let mut events = match classes.as_slice() {
        [] => Vec::new(),
        classes => vec![format!("progression ({})", classes.join(", "))],
    };
    if rule.new_therapy == NewTherapy::AnyIsEvent {
        events.push("any new therapy".to_owned());
    }
    let death = match rule.death {
        Death::Event => {
            events.push("death".to_owned());
            ""
        }
        Death::OfDisease => {
            events.push("death of the disease".to_owned());
            ""
        }
        Death::Censor => "; death is censored",
        Death::Competing => "; death competes",
    };
    let censored = match rule.censor_at {
        CensorAt::LastAdequateImaging => "last adequate imaging",
        CensorAt::LastFollowUp => "last follow-up",
    };
    let therapy = match rule.new_therapy {
        NewTherapy::Ignore | NewTherapy::AnyIsEvent => "",
        NewTherapy::AnyCensorsAtLastImaging => ", or at the last imaging before any new therapy",
        NewTherapy::TargetCensorsAtLastImaging => ", or at the last imaging before another therapy of the target",
        NewTherapy::TargetCensorsAtTherapy => ", or at another therapy of the target",
    };
    let missed = match rule.after_missed_visits {
        AfterMissedVisits::AsPreset => "",
        AfterMissedVisits::StillEvent => "; events after missed visits count",
    };
    let dated = match rule.progression_dated {
        ProgressionDated::WhenSeen => "",
        ProgressionDated::AtScheduledVisit => "; progression counts on the day of the scheduled visit",
    };
    format!(
        "{}, per {level}: {}{death}; censored at {censored}{therapy}{missed}{dated}.",
        rule.name,
        events.join(" or ")
    )
}
