//! Clocks that are wrong: a run whose clock jumps by hours while it works, and locks and ledger entries whose file times lie hours
//! away, as after the clock of a file server was set.

use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, SystemTime};

use jiff::{SignedDuration, Timestamp};

/// Where Debian and its kin keep libfaketime; without it only file times jump.
const LIBRARIES: [&str; 3] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib64/faketime/libfaketimeMT.so.1",
];

/// The library that gives a process another clock, where this machine has it.
pub(crate) fn library() -> Option<&'static str> {
    LIBRARIES.into_iter().find(|library| Path::new(library).is_file())
}

/// Hours by which clocks are wrong: none twice, so that a time tells its clock.
pub(crate) const HOURS: [i64; 6] = [-30, -7, -2, 3, 11, 49];

/// A process whose clock jumps, and by how much it was ever wrong.
#[derive(Debug)]
pub(crate) struct Jumping {
    pub(crate) pid: u32,
    clock: PathBuf,
    began: Timestamp,
    hours: Vec<i64>,
}

impl Jumping {
    /// Starts a command on a clock of its own, kept in a file below `folder`. `far`: file times keep the true clock, as those of
    /// a file server would.
    pub(crate) fn start(command: &mut Command, folder: &Path, hours: i64, far: bool) -> (Self, Child) {
        let clock = tempfile::Builder::new().prefix("clock-").tempfile_in(folder).unwrap();
        let clock = clock.into_temp_path().keep().unwrap();
        let mut jumping = Self { pid: 0, clock, began: Timestamp::now(), hours: Vec::new() };
        jumping.jump(hours);
        if let Some(library) = library() {
            command.env("LD_PRELOAD", library).env("FAKETIME_TIMESTAMP_FILE", &jumping.clock);
            command.env("FAKETIME_NO_CACHE", "1").env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
            if far {
                command.env("NO_FAKE_STAT", "1");
            }
        }
        let child = command.spawn().unwrap();
        jumping.pid = child.id();
        (jumping, child)
    }

    /// From now on the clock is wrong by so many hours.
    pub(crate) fn jump(&mut self, hours: i64) {
        // Renamed, so that the process never reads half a number.
        let part = self.clock.with_extension("new");
        std::fs::write(&part, format!("{hours:+}h\n")).unwrap();
        std::fs::rename(&part, &self.clock).unwrap();
        self.hours.push(hours);
    }

    /// When something happened that this process dated: the one time since its start that a clock of its gives.
    pub(crate) fn truly(&self, said: Timestamp) -> Timestamp {
        let window = self.began - SignedDuration::from_secs(5)..Timestamp::now() + SignedDuration::from_secs(5);
        let candidates = self.hours.iter().chain(&[0]).map(|hours| said - SignedDuration::from_hours(*hours));
        candidates.filter(|time| window.contains(time)).min().unwrap_or(said)
    }
}

/// Gives every lock and ledger entry below a folder a time so many hours from now; returns how many there were.
pub(crate) fn shift_file_times(folder: &Path, hours: i64) -> usize {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    let by = Duration::from_hours(hours.unsigned_abs());
    let time = if hours < 0 { SystemTime::now() - by } else { SystemTime::now() + by };
    let mut n_shifted = 0;
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            n_shifted += shift_file_times(&path, hours);
        } else if path.file_name().is_some_and(|name| name == ".lock" || name == "status.json") {
            // Its holder may let it go at any moment.
            let opened = std::fs::File::options().write(true).open(&path);
            n_shifted += usize::from(opened.is_ok_and(|file| file.set_modified(time).is_ok()));
        }
    }
    n_shifted
}
