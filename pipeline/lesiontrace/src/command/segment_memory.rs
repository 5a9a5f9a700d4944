//! The memory of a segmentation: what it needs at most, said beforehand, kept, and measured.
//!
//! What the arrays need is worked out from the card and the grid ([`inference::Segmenter::memory_bound_bytes`]); what the runtime takes
//! for the network's inner layers only the network decides, and the first windows show it.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};

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
    peak_before_bytes: u64,
    before_windows: AtomicU64,
    first_windows_bytes: AtomicU64,
}

const MIB: u64 = 1 << 20;

/// Windows after which the runtime has what it needs: it plans its memory on the first and takes it on the second.
const RUNTIME_GROWS: usize = 3;

impl<'a> Allowed<'a> {
    /// Refuses an image whose arrays alone need more than is allowed.
    pub(crate) fn new(loaded: &'a Loaded, grid: &Grid) -> Result<Self, SegmentError> {
        let arrays_bytes = loaded.segmenter.memory_bound_bytes(grid)?;
        let peak_before_bytes = process_memory::peak().unwrap_or_default();
        let (before_windows, first_windows_bytes) = (AtomicU64::new(0), AtomicU64::new(0));
        let allowed = Self { loaded, arrays_bytes, peak_before_bytes, before_windows, first_windows_bytes };
        allowed.check()?;
        Ok(allowed)
    }

    /// Told before each window: after the first ones the network's own need is known.
    pub(crate) fn watch(&self, n: usize, _of: usize) -> ControlFlow<()> {
        let held = || process_memory::held().unwrap_or_default();
        match n {
            0 => self.before_windows.store(held(), Ordering::Relaxed),
            1..=RUNTIME_GROWS => {
                let grown = held().saturating_sub(self.before_windows.load(Ordering::Relaxed));
                self.first_windows_bytes.fetch_max(grown, Ordering::Relaxed);
            }
            _ => {}
        }
        if self.check().is_err() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// Where the watch ended the work, too little memory is the reason.
    pub(crate) fn reason(&self, error: SegmentError) -> SegmentError {
        self.check().err().unwrap_or(error)
    }

    /// What was stated and what was used.
    pub(crate) fn memory(&self) -> Memory {
        // After a single window the peak alone says what the network took.
        let grown =
            process_memory::peak().unwrap_or_default().saturating_sub(self.before_windows.load(Ordering::Relaxed));
        let _ = self.first_windows_bytes.compare_exchange(0, grown, Ordering::Relaxed, Ordering::Relaxed);
        let first_windows = self.first_windows_bytes.load(Ordering::Relaxed);
        Memory {
            program_mib: self.loaded.held_bytes.div_ceil(MIB),
            arrays_bound_mib: self.arrays_bytes.div_ceil(MIB),
            first_windows_mib: first_windows.div_ceil(MIB),
            bound_mib: self.needed_bytes().max(self.peak_before_bytes).div_ceil(MIB),
            peak_mib: process_memory::peak().map(|bytes| bytes.div_ceil(MIB)),
        }
    }

    fn needed_bytes(&self) -> u64 {
        self.loaded.held_bytes + self.arrays_bytes + self.first_windows_bytes.load(Ordering::Relaxed)
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
