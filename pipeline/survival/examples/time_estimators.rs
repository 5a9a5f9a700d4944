//! Times each estimator on a table of a given size and prints one JSON line a result; `scripts/compare_survival` runs it
//! beside other programs on the same rows.
//!
//! Usage: `time_estimators TABLE.csv ESTIMATOR…`, columns time, event, state, group, x1, x2, x3.
#![expect(clippy::disallowed_methods, reason = "a measuring tool reads its table and the clock")]

use std::time::Instant;

use lesiontrace_survival::{
    CoxSubject, FineGraySubject, Group, IntervalScale, Ties, TimeToEvent, TimeToState, Weighting, cox,
    cumulative_incidence, fine_gray, gray_test, kaplan_meier, log_rank,
};

/// The columns.
struct Table {
    time: Vec<f64>,
    state: Vec<u32>,
    event: Vec<bool>,
    group: Vec<u32>,
    covariates: Vec<[f64; 3]>,
}

/// How long one estimator is repeated.
const AT_LEAST_SECONDS: f64 = 0.5;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let table = read(&arguments.next().expect("the first argument is the table"));
    for name in arguments {
        let work = prepare(&table, &name);
        // The best of a few runs, as for the other programs: others share the machine.
        let repeats = if table.time.len() > 100_000 { 3 } else { 5 };
        let (mut seconds, mut cpu_seconds, mut value) = (f64::INFINITY, f64::INFINITY, 0.0);
        for _ in 0..repeats {
            let (start, cpu_start, mut n) = (Instant::now(), cpu_time(), 0.0);
            // The kernel counts in steps of milliseconds: short work is repeated.
            while start.elapsed().as_secs_f64() < AT_LEAST_SECONDS {
                value = work();
                n += 1.0;
            }
            seconds = seconds.min(start.elapsed().as_secs_f64() / n);
            cpu_seconds = cpu_seconds.min((cpu_time() - cpu_start) / n);
        }
        let n = table.time.len();
        println!(
            "{{\"estimator\":\"{name}\",\"n\":{n},\"seconds\":{seconds:e},\"cpu_seconds\":{cpu_seconds:e},\"value\":{value:e}}}"
        );
    }
}

/// Seconds this thread has been running, as Linux counts them in `/proc`.
fn cpu_time() -> f64 {
    let counted = std::fs::read_to_string("/proc/self/schedstat").expect("Linux keeps the schedule of every process");
    counted
        .split(' ')
        .next()
        .expect("Linux keeps the schedule of every process")
        .parse::<f64>()
        .expect("Linux keeps the schedule of every process")
        * 1e-9
}

fn read(path: &str) -> Table {
    let mut table = Table { time: vec![], state: vec![], event: vec![], group: vec![], covariates: vec![] };
    for row in csv::Reader::from_path(path).expect("the table was written for this measurement").records() {
        let row = row.expect("the table was written for this measurement");
        let number = |column: usize| row[column].parse::<f64>().expect("the table was written for this measurement");
        table.time.push(number(0));
        table.event.push(&row[1] == "1");
        table.state.push(number(2) as u32);
        table.group.push(number(3) as u32);
        table.covariates.push([number(4), number(5), number(6)]);
    }
    table
}

/// What is timed, from columns in memory to the one number that is compared.
fn prepare<'a>(table: &'a Table, name: &str) -> Box<dyn Fn() -> f64 + 'a> {
    let rows = || table.time.iter().zip(&table.event).map(|(&time, &event)| TimeToEvent { time, event });
    let states = || table.time.iter().zip(&table.state).map(|(&time, &state)| TimeToState { time, state });
    match name {
        "kaplan_meier" => Box::new(move || {
            let rows: Vec<_> = rows().collect();
            let curve = kaplan_meier(&rows, IntervalScale::Log)
                .expect("the table written for this measurement fits the estimator");
            curve.surv[curve.entry_at(1.0).expect("the table written for this measurement fits the estimator")]
        }),
        "log_rank" => Box::new(move || {
            let groups = split(rows(), &table.group);
            let [a, b] = [&groups[0], &groups[1]];
            let groups = [Group { label: "0", observations: a }, Group { label: "1", observations: b }];
            log_rank(&groups, Weighting::LogRank)
                .expect("the table written for this measurement fits the estimator")
                .chisq
        }),
        "cox" => Box::new(move || {
            let subjects: Vec<_> = rows()
                .zip(&table.covariates)
                .map(|(seen, x)| CoxSubject {
                    time: seen.time,
                    event: seen.event,
                    covariates: x.to_vec(),
                    cluster: None,
                    stratum: None,
                })
                .collect();
            cox(&["x1", "x2", "x3"], &subjects, Ties::Efron)
                .expect("the table written for this measurement fits the estimator")
                .coef[0]
        }),
        "cumulative_incidence" => Box::new(move || {
            let rows: Vec<_> = states().collect();
            cumulative_incidence(&rows, 1)
                .expect("the table written for this measurement fits the estimator")
                .at(1.0)
                .expect("the table written for this measurement fits the estimator")
                .0
        }),
        // What cuminc of cmprsk does in one call: the curves of both causes in both groups, and both tests.
        "gray" => Box::new(move || {
            let members = split(states(), &table.group);
            for (group, state) in [(0, 1), (0, 2), (1, 1), (1, 2)] {
                std::hint::black_box(
                    cumulative_incidence(&members[group], state)
                        .expect("the table written for this measurement fits the estimator"),
                );
            }
            let [a, b] = [&members[0], &members[1]];
            let groups = [Group { label: "0", observations: a }, Group { label: "1", observations: b }];
            std::hint::black_box(
                gray_test(&groups, 2).expect("the table written for this measurement fits the estimator"),
            );
            gray_test(&groups, 1).expect("the table written for this measurement fits the estimator").stat
        }),
        "fine_gray" => Box::new(move || {
            let subjects: Vec<_> = states()
                .zip(&table.covariates)
                .map(|(seen, x)| FineGraySubject { time: seen.time, state: seen.state, covariates: x.to_vec() })
                .collect();
            fine_gray(&["x1", "x2", "x3"], &subjects, 1)
                .expect("the table written for this measurement fits the estimator")
                .coef[0]
        }),
        _ => panic!("expected an estimator, found {name}"),
    }
}

fn split<T>(rows: impl Iterator<Item = T>, group: &[u32]) -> [Vec<T>; 2] {
    let mut groups = [Vec::new(), Vec::new()];
    for (row, &group) in rows.zip(group) {
        groups[group as usize].push(row);
    }
    groups
}
