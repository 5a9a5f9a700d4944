//! `survival`: estimates of a table of times and events.

mod text;

use std::path::Path;

use oncology::Evaluable;
use report::figure;
use report::{EndpointCurves, KmCurve};
use survival::{Estimate, IntervalScale, Penalty, Profile, SummaryOptions, SurvivalSummary, Ties, TimeUnit, summarise};

use crate::cli::{self, Survival};
use crate::exit::{self, Failure};
use crate::survival_table::{Columns, read};
use crate::{image_input, out};

/// Reads the table, works out everything it allows.
pub(crate) fn run(args: &Survival) -> Result<u8, Failure> {
    let columns = Columns {
        time: &args.time,
        event: &args.event,
        state: args.state.as_deref(),
        group: args.group.as_deref(),
        covariates: &args.covariates,
        cluster: args.cluster.as_deref(),
        strata: args.strata.as_deref(),
        interval_low: args.interval_low.as_deref(),
        group_known: args.group_known.as_deref(),
    };
    let table = read(&args.table, &columns).map_err(|error| image_input::refuse(args.json, error))?;
    let mut summary =
        summarise(&table.records, &options(args)).map_err(|error| image_input::refuse(args.json, error))?;
    summary.cautions.extend(table.cautions);
    summary.references = table.references;
    if let Some(path) = &args.plot {
        plot(path, args, &summary)?;
    }
    if args.json {
        out::print_json(&summary).map_err(Failure::io)?;
    } else {
        out::print(&text::of(&summary)).map_err(Failure::io)?;
    }
    Ok(exit::DONE)
}

fn options(args: &Survival) -> SummaryOptions {
    SummaryOptions {
        profile: match args.profile {
            cli::Profile::R => Profile::R,
            cli::Profile::Spss => Profile::Spss,
            cli::Profile::Lifelines => Profile::Lifelines,
        },
        time_unit: match args.time_unit {
            cli::TimeUnit::Days => TimeUnit::Days,
            cli::TimeUnit::Months => TimeUnit::Months,
        },
        landmarks: args.landmarks.clone(),
        rmst_tau: args.rmst_tau,
        terms: args.covariates.clone(),
        interval_scale: args.interval.map(|scale| match scale {
            cli::Interval::Plain => IntervalScale::Plain,
            cli::Interval::Log => IntervalScale::Log,
            cli::Interval::LogLog => IntervalScale::LogLog,
        }),
        ties: args.ties.map(|ties| match ties {
            cli::Ties::Efron => Ties::Efron,
            cli::Ties::Breslow => Ties::Breslow,
        }),
        firth: if args.firth { Penalty::Firth } else { Penalty::None },
        screen_below: args.screen,
        landmark_origin: args.landmark_origin,
    }
}

/// The Kaplan–Meier figure as an SVG file, or as PNG where the name says so.
fn plot(path: &Path, args: &Survival, summary: &SurvivalSummary) -> Result<(), Failure> {
    let last = summary.km.values().map(|group| group.curve.last_time()).fold(0.0, f64::max);
    let risk_times = ticks(last);
    let one = summary.km.len() == 1;
    let curves = summary.km.iter().map(|(group, found)| {
        let median = match found.median.median {
            Some(median) => Evaluable::Value(median),
            None => Evaluable::not(found.median.median_reason.clone().unwrap_or_else(|| "not reached".to_owned())),
        };
        KmCurve::from_estimate(if one { "" } else { group.as_str() }, &found.curve, &risk_times)
            .with_median(median, found.median.median_ci)
    });
    let comparison = match &summary.logrank {
        Estimate::Value(test) => format!("log-rank p = {:.4}", test.p),
        Estimate::NotEvaluable { .. } => String::new(),
    };
    let endpoint = EndpointCurves {
        endpoint: args.event.clone(),
        title: args.event.clone(),
        definition: format!("{} by {}", args.event, args.time),
        time_unit: summary.time_unit.to_string(),
        curves: curves.collect(),
        risk_times: risk_times.clone(),
        comparison,
        cautions: Vec::new(),
    };
    let svg = figure::standalone(&figure::kaplan_meier(&endpoint).map_err(Failure::internal)?);
    let bytes = match path.extension().and_then(|ending| ending.to_str()) {
        Some("png") => figure::png(&svg, figure::PRINT_SCALE).map_err(Failure::internal)?,
        _ => svg.into_bytes(),
    };
    out::write_atomic(path, &bytes).map_err(Failure::io)
}

/// From 0 in five to ten round steps (1, 2 or 5 times a power of ten).
fn ticks(last: f64) -> Vec<f64> {
    let coarse = (last / 5.0).max(f64::MIN_POSITIVE);
    let power = 10.0_f64.powf(coarse.log10().floor());
    let step = [5.0, 2.0, 1.0].into_iter().map(|n| n * power).find(|step| *step <= coarse).unwrap_or(power);
    (0..=(last / step).floor() as u32).map(|n| f64::from(n) * step).collect()
}
