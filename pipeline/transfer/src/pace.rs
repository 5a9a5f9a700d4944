//! Keeps requests apart, so that a night's pull does not stand in the way of a ward.

use std::time::{Duration, Instant};

/// Waits until the next request may be made.
#[derive(Debug)]
pub(crate) struct Pace {
    gap: Duration,
    next: Instant,
}

impl Pace {
    /// At most so many requests a second; no bound where none is given.
    pub(crate) fn new(per_second: Option<f64>) -> Self {
        let gap = per_second.filter(|n| *n > 0.0).map_or(Duration::ZERO, |n| Duration::from_secs_f64(1.0 / n));
        Self { gap, next: Instant::now() }
    }

    /// Sleeps for what is left of the gap.
    pub(crate) fn wait(&mut self) {
        let now = Instant::now();
        if self.next > now {
            std::thread::sleep(self.next - now);
        }
        self.next = self.next.max(now) + self.gap;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_requests_at_fifty_a_second_take_four_gaps() {
        let started = Instant::now();
        let mut pace = Pace::new(Some(50.0));
        (0..5).for_each(|_| pace.wait());
        assert!(started.elapsed() >= Duration::from_millis(80));
        let (started, mut free) = (Instant::now(), Pace::new(None));
        (0..1000).for_each(|_| free.wait());
        assert!(started.elapsed() < Duration::from_millis(80));
    }
}
