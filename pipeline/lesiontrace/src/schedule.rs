//! Patients in parallel within a memory bound.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex};

use anyhow::Context as _;

/// Reads a memory size: `8GiB`, `500 MiB`, or bytes.
pub(crate) fn parse_memory(text: &str) -> anyhow::Result<u64> {
    let trimmed = text.trim();
    let digits = trimmed.find(|c: char| !c.is_ascii_digit()).unwrap_or(trimmed.len());
    let (number, unit) = trimmed.split_at(digits);
    let factor: u64 = match unit.trim() {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => anyhow::bail!("--memory: expected a number with B, KiB, MiB or GiB, such as 8GiB, found {text:?}"),
    };
    let number: u64 = number.parse().with_context(|| format!("--memory: expected a number, found {text:?}"))?;
    number
        .checked_mul(factor)
        .filter(|bytes| *bytes > 0)
        .with_context(|| format!("--memory: {text:?} is not a usable size"))
}

/// Runs every job on at most `n_workers` threads, so that the jobs at work together need at most `budget` bytes by their own
/// estimate; a job that alone needs more runs alone. Jobs start in the order given.
pub(crate) fn run_within<J: Send>(
    jobs: Vec<(u64, J)>,
    n_workers: usize,
    budget: u64,
    stop: &(dyn Fn() -> bool + Sync),
    work: &(dyn Fn(J) + Sync),
) {
    let queue = Mutex::new((VecDeque::from(jobs), 0_u64, 0_usize));
    let freed = Condvar::new();
    std::thread::scope(|scope| {
        for _ in 0..n_workers.max(1) {
            scope.spawn(|| {
                while let Some((need, job)) = next(&queue, &freed, budget, stop) {
                    work(job);
                    let mut state = queue.lock().expect("a worker does not panic while it holds the queue");
                    state.1 -= need;
                    state.2 -= 1;
                    freed.notify_all();
                }
            });
        }
    });
}

type Queue<J> = Mutex<(VecDeque<(u64, J)>, u64, usize)>;

/// Waits until the next job fits beside those at work; `None` when the queue is empty or the run is to stop.
fn next<J>(queue: &Queue<J>, freed: &Condvar, budget: u64, stop: &(dyn Fn() -> bool + Sync)) -> Option<(u64, J)> {
    let mut state = queue.lock().expect("a worker does not panic while it holds the queue");
    loop {
        if stop() {
            return None;
        }
        let need = state.0.front()?.0;
        if state.2 == 0 || state.1.saturating_add(need) <= budget {
            state.1 += need;
            state.2 += 1;
            return state.0.pop_front();
        }
        state = freed.wait(state).expect("a worker does not panic while it holds the queue");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    #[test]
    fn jobs_at_work_never_need_more_than_the_budget() {
        let (now, most, done) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
        let jobs: Vec<(u64, u64)> = [40, 30, 60, 10, 120, 50].into_iter().map(|n| (n, n)).collect();
        run_within(jobs, 4, 100, &|| false, &|need| {
            let together = now.fetch_add(need, Ordering::SeqCst) + need;
            most.fetch_max(together, Ordering::SeqCst);
            std::thread::sleep(std::time::Duration::from_millis(5));
            now.fetch_sub(need, Ordering::SeqCst);
            done.fetch_add(1, Ordering::SeqCst);
        });
        assert_eq!(done.into_inner(), 6);
        assert!(most.into_inner() <= 120, "only the job that is too large alone may exceed the budget, and then alone");
    }

    #[test]
    fn memory_sizes_are_read_with_their_unit() {
        assert_eq!(parse_memory("8GiB").unwrap(), 8 << 30);
        assert_eq!(parse_memory("500 MiB").unwrap(), 500 << 20);
        assert!(parse_memory("8GB").is_err() && parse_memory("").is_err() && parse_memory("0GiB").is_err());
    }
}
