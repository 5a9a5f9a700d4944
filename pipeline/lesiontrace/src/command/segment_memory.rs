//! The memory of a segmentation: what it needs at most, said beforehand, kept, and measured.
//!
//! What the arrays need is worked out from the card and the grid ([`inference::Segmenter::memory_bound_bytes`]); what the runtime takes
//! for the network's inner layers only the network decides, and the first windows show it.

use std::ops::ControlFlow;
use std::sync::{Mutex, MutexGuard, PoisonError};

use imaging::Grid;
use inference::SegmentError;
use serde::Serialize;

use super::segment::Loaded;
use crate::process_memory;

/// What a segmentation may use and used, MiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[expect(clippy::struct_field_names, reason = "the names are those of the JSON, where a figure carries its unit")]
pub(crate) struct Memory {
    /// The program with the model loaded.
    program_mib: u64,
    /// All arrays alive at once, at most.
    arrays_bound_mib: u64,
    /// What the process grew by during the first windows: the network's inner layers, and the planes they opened.
    first_windows_mib: u64,
    /// The bound: the sum of the three, or what reading and loading took for a moment, where that is more.
    bound_mib: u64,
    /// The most the process held since it began, if the system says.
    peak_mib: Option<u64>,
}

/// What one image may use.
pub(crate) struct Allowed<'a> {
    loaded: &'a Loaded,
    arrays_bytes: u64,
    growth: Mutex<Growth>,
}

const MIB: u64 = 1 << 20;

/// Windows after which the runtime has what it needs: it plans its memory on the first and takes it on the second. Of prompts each
/// network of the card is asked for the first.
const RUNTIME_GROWS: usize = 3;

/// What the process grew by during the first windows, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Growth {
    /// Most held ever, before this image.
    peak_before: u64,
    /// Held before the first window.
    before_windows: u64,
    /// Grown by since then.
    first_windows: u64,
    /// Windows in all.
    of: usize,
    /// Prompts these are for; 0 where there is none.
    n_prompts: usize,
}

impl Growth {
    /// Told before window `n` of `of`, what is held now and was held at most.
    fn before_window(&mut self, n: usize, of: usize, held: u64, peak: u64) {
        self.of = of;
        match n {
            0 => self.before_windows = held,
            n if n <= self.grows() => self.take(held, peak),
            _ => {}
        }
    }

    /// Told after the last window: where the runtime has grown until then, nothing was looked at since.
    fn at_end(&mut self, held: u64, peak: u64) {
        if self.of <= self.grows() {
            self.take(held, peak);
        }
    }

    /// Windows in which the runtime grows: the first ones, or all of the first prompt.
    fn grows(&self) -> usize {
        self.of.checked_div(self.n_prompts).unwrap_or(RUNTIME_GROWS)
    }

    /// What a window took for a moment and gave back, the peak alone says; one of an earlier image says nothing of this one. Of many
    /// windows what later ones hold for a moment is in the arrays' bound.
    fn take(&mut self, held: u64, peak: u64) {
        let is_its_own = self.of <= self.grows() && peak > self.peak_before;
        let most = if is_its_own { held.max(peak) } else { held };
        self.first_windows = self.first_windows.max(most.saturating_sub(self.before_windows));
    }
}

impl<'a> Allowed<'a> {
    /// Refuses an image whose arrays alone need more than is allowed; `n_prompts`: 0 where the model asks for none.
    pub(crate) fn new(loaded: &'a Loaded, grid: &Grid, n_prompts: usize) -> Result<Self, SegmentError> {
        let arrays_bytes = loaded.segmenter.memory_bound_bytes(grid)?;
        let peak_before = process_memory::peak().unwrap_or_default();
        let growth = Mutex::new(Growth { peak_before, n_prompts, ..Growth::default() });
        let allowed = Self { loaded, arrays_bytes, growth };
        allowed.check()?;
        Ok(allowed)
    }

    /// Told before each window: after the first ones the network's own need is known.
    pub(crate) fn watch(&self, n: usize, of: usize) -> ControlFlow<()> {
        let (held, peak) = held_and_peak();
        self.growth().before_window(n, of, held, peak);
        if self.check().is_err() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// Told when all windows are done: an image that proved to need more than is allowed is refused even then.
    pub(crate) fn done(&self) -> Result<(), SegmentError> {
        let (held, peak) = held_and_peak();
        self.growth().at_end(held, peak);
        self.check()
    }

    fn growth(&self) -> MutexGuard<'_, Growth> {
        self.growth.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the watch ended the work, too little memory is the reason.
    pub(crate) fn reason(&self, error: SegmentError) -> SegmentError {
        self.check().err().unwrap_or(error)
    }

    /// What was stated and what was used.
    pub(crate) fn memory(&self) -> Memory {
        let Growth { peak_before, first_windows, .. } = *self.growth();
        Memory {
            program_mib: self.loaded.held_bytes.div_ceil(MIB),
            arrays_bound_mib: self.arrays_bytes.div_ceil(MIB),
            first_windows_mib: first_windows.div_ceil(MIB),
            bound_mib: self.needed_bytes().max(peak_before).div_ceil(MIB),
            peak_mib: process_memory::peak().map(|bytes| bytes.div_ceil(MIB)),
        }
    }

    fn needed_bytes(&self) -> u64 {
        self.loaded.held_bytes + self.arrays_bytes + self.growth().first_windows
    }

    fn check(&self) -> Result<(), SegmentError> {
        let needed = self.needed_bytes();
        match self.loaded.allowed_bytes {
            Some(allowed) if needed > allowed => Err(SegmentError::Memory {
                model: self.loaded.segmenter.card().name.clone(),
                needed_mib: needed.div_ceil(MIB),
                allowed_mib: allowed / MIB,
            }),
            Some(_) | None => Ok(()),
        }
    }
}

fn held_and_peak() -> (u64, u64) {
    (process_memory::held().unwrap_or_default(), process_memory::peak().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two windows: the runtime takes its memory on the second, after which nobody looks before the end.
    #[test]
    fn what_the_last_of_few_windows_took_is_in_the_bound() {
        let mut growth = Growth { peak_before: 300, ..Growth::default() };
        growth.before_window(0, 2, 250, 300);
        growth.before_window(1, 2, 700, 720);
        assert_eq!(growth.first_windows, 470, "the peak of the first window, not what is left of it");
        growth.at_end(760, 880);
        assert_eq!(growth.first_windows, 630);
    }

    /// Many windows: what comes after the first ones are planes of the answer, which the arrays' bound holds already.
    #[test]
    fn later_windows_and_the_peak_of_an_earlier_image_say_nothing() {
        let mut growth = Growth { peak_before: 900, ..Growth::default() };
        growth.before_window(0, 20, 250, 900);
        growth.before_window(3, 20, 700, 900);
        growth.before_window(4, 20, 800, 900);
        growth.at_end(800, 900);
        assert_eq!(growth.first_windows, 450);
    }

    /// Networks that find the size come first and are small: those that outline are asked for later, and count.
    #[test]
    fn of_prompts_every_network_is_asked_before_the_memory_is_known() {
        let mut growth = Growth { peak_before: 260, n_prompts: 2, ..Growth::default() };
        for (n, held) in [(0, 250), (3, 255), (5, 260), (8, 400), (10, 430), (11, 500)] {
            growth.before_window(n, 20, held, 600);
        }
        growth.at_end(500, 600);
        assert_eq!(growth.first_windows, 180, "of the first prompt, which ends before the eleventh");
        let mut alone = Growth { peak_before: 260, n_prompts: 1, ..Growth::default() };
        alone.before_window(0, 10, 250, 260);
        alone.at_end(430, 450);
        assert_eq!(alone.first_windows, 200, "the peak of the last look");
    }
}
