//! Arguments of `survival`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

#[derive(Debug, Args)]
pub(crate) struct Survival {
    /// Table (CSV with headers).
    pub(crate) table: PathBuf,
    /// Column of times.
    #[arg(long)]
    pub(crate) time: String,
    /// Column of events: 0 censored, 1 event; or COLUMN=VALUE.
    #[arg(long)]
    pub(crate) event: String,
    /// Column that splits the table into groups.
    #[arg(long)]
    pub(crate) group: Option<String>,
    /// Column of states: 0 censored, 1 event of interest, 2 and above competing.
    #[arg(long)]
    pub(crate) state: Option<String>,
    /// Columns of numbers (or COLUMN=VALUE) for the regression models, comma-separated.
    #[arg(long, value_delimiter = ',')]
    pub(crate) covariates: Vec<String>,
    /// Column that says which rows belong together (patient).
    #[arg(long)]
    pub(crate) cluster: Option<String>,
    /// Column of strata: log-rank tests and Cox models compare inside each.
    #[arg(long)]
    pub(crate) strata: Option<String>,
    /// Column of the last time without the event, where an event is only known to lie after it and at or before --time.
    #[arg(long)]
    pub(crate) interval_low: Option<String>,
    /// Column of the time at which membership of the group was decided (response, second treatment).
    #[arg(long)]
    pub(crate) group_known: Option<String>,
    /// Unit of the time column.
    #[arg(long, value_enum, default_value = "months")]
    pub(crate) time_unit: TimeUnit,
    /// Convention of intervals and medians.
    #[arg(long, value_enum, default_value = "r")]
    pub(crate) profile: Profile,
    /// Times at which survival is wanted, comma-separated, in the unit of the time column.
    #[arg(long, value_delimiter = ',')]
    pub(crate) landmarks: Vec<f64>,
    /// Landmark analysis: only rows observed at least this long, their times counted from here.
    #[arg(long, value_name = "TIME")]
    pub(crate) landmark_origin: Option<f64>,
    /// Horizon of the restricted mean of every group, in the unit of the time column (default: each group's last time).
    #[arg(long, value_name = "TIME")]
    pub(crate) rmst_tau: Option<f64>,
    /// Scale of the bounds of S, where it is not the profile's.
    #[arg(long, value_enum)]
    pub(crate) interval: Option<Interval>,
    /// Treatment of ties in Cox models, where it is not the profile's.
    #[arg(long, value_enum)]
    pub(crate) ties: Option<Ties>,
    /// Fit Firth's penalised Cox model, too (few events, a group without events).
    #[arg(long)]
    pub(crate) firth: bool,
    /// One Cox model per variable, then one of all variables with p below this (--screen is --screen=0.1).
    #[arg(long, value_name = "P", num_args = 0..=1, require_equals = true, default_missing_value = "0.1", value_parser = probability)]
    pub(crate) screen: Option<f64>,
    /// Write the Kaplan–Meier figure to this file (.svg).
    #[arg(long)]
    pub(crate) plot: Option<PathBuf>,
    /// One JSON document on stdout.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Unit of times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TimeUnit {
    /// Days.
    Days,
    /// Months.
    Months,
}

/// Convention of intervals and medians.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Profile {
    /// R survival.
    R,
    /// SPSS.
    Spss,
    /// lifelines.
    Lifelines,
}

/// Scale on which the interval of S is symmetric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Interval {
    /// S itself.
    Plain,
    /// log S.
    Log,
    /// log(−log S).
    LogLog,
}

/// Treatment of tied events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Ties {
    /// Average over shrinking risk sets.
    Efron,
    /// The whole risk set for each.
    Breslow,
}

fn probability(text: &str) -> Result<f64, String> {
    let found = text.parse::<f64>().ok().filter(|p| *p > 0.0 && *p <= 1.0);
    found.ok_or_else(|| format!("expected a probability above 0 and at most 1, found {text:?}"))
}
