//! One worker per folder: a lock file that appears whole or not at all, which also works on shared file systems.
//!
//! A lock is stale when its process is gone (same host, same process space) or has given no sign of life for an hour (elsewhere);
//! a run gives one every minute. What is held for moments (beginning, collecting) is given up after five minutes. Time is read from
//! the file system that holds the lock, so that clocks of hosts need not agree.

use std::fs::{File, TryLockError};
use std::io::{self, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

/// Name of the lock file of a folder.
const NAME: &str = ".lock";
/// A worker elsewhere that gave no sign for so long is gone: sixty signs are missing.
const SILENT: Duration = Duration::from_hours(1);
/// The same where a lock is held for moments: fifteen signs are missing.
const BRIEFLY_SILENT: Duration = Duration::from_mins(5);
/// How often a lock that is held for moments gives a sign of life.
const BRIEF_SIGN: Duration = Duration::from_secs(20);
/// A lock that cannot be read is nobody's after this long: its holder would have written it again.
const UNREADABLE: Duration = Duration::from_mins(5);

/// Who holds a lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Holder {
    host: String,
    pid: u32,
    /// Which processes its number counts among: containers of one host name count for themselves.
    space: String,
    /// When the process started, so that a new process of the same number is not taken for it.
    start: String,
    /// Slurm job, if any.
    job: String,
    /// Which of the process's locks.
    number: u64,
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "process {} on {}", self.pid, self.host)?;
        if self.job.is_empty() { Ok(()) } else { write!(f, " (Slurm job {})", self.job) }
    }
}

/// A lock that is held; dropping it lets it go.
#[derive(Debug)]
pub(crate) struct Lock {
    path: PathBuf,
    file: File,
    me: Holder,
}

/// What came of asking for a lock.
#[derive(Debug)]
pub(crate) enum Asked {
    /// It is held now.
    Held(Lock),
    /// Somebody else holds it; `None` where the lock does not say who.
    Taken(Option<Holder>),
}

/// Who holds a lock, for a sentence.
pub(crate) fn named(holder: Option<&Holder>) -> String {
    holder.map_or_else(|| "another process".to_owned(), ToString::to_string)
}

/// Asks for the lock of a folder, which is made where missing; a stale lock is taken over.
pub(crate) fn ask(folder: &Path) -> anyhow::Result<Asked> {
    ask_after(SILENT, folder)
}

/// [`ask`], a holder elsewhere being gone after `limit` of silence.
fn ask_after(limit: Duration, folder: &Path) -> anyhow::Result<Asked> {
    std::fs::create_dir_all(folder).with_context(|| format!("creating folder {}", folder.display()))?;
    let path = folder.join(NAME);
    let me = Holder::me();
    if let Some(lock) = make(&path, &me)? {
        return Ok(Asked::Held(lock));
    }
    match look(&path)? {
        Seen::Nothing => Ok(make(&path, &me)?.map_or(Asked::Taken(None), Asked::Held)),
        seen if seen.is_stale(&me, limit) => take_over(&path, &me, limit),
        Seen::Lock(holder, _) => Ok(Asked::Taken(holder)),
    }
}

/// Whether nobody works on a folder: there is no lock, or its process, one of this host, is gone. Writes nothing.
pub(crate) fn is_left(folder: &Path) -> bool {
    let Ok(bytes) = std::fs::read(folder.join(NAME)) else { return !folder.join(NAME).exists() };
    let holder = serde_json::from_slice::<Holder>(&bytes);
    // Of silence elsewhere nothing is concluded here: reading must not need a clock of the file system.
    holder.is_ok_and(|holder| holder.is_gone(&Holder::me(), Duration::ZERO, Duration::MAX))
}

/// A lock that is held for moments and gives signs of life by itself; dropping it lets it go.
#[derive(Debug)]
pub(crate) struct Brief {
    _lock: Arc<Lock>,
}

impl Brief {
    fn of(lock: Lock) -> Self {
        let lock = Arc::new(lock);
        let signing = Arc::downgrade(&lock);
        std::thread::spawn(move || {
            loop {
                std::thread::sleep(BRIEF_SIGN);
                let Some(lock) = signing.upgrade() else { return };
                lock.sign();
            }
        });
        Self { _lock: lock }
    }
}

/// Waits for the lock of a folder that everybody holds for moments; gives up, for a later try, after `patience`.
pub(crate) fn wait(folder: &Path, patience: Duration) -> anyhow::Result<Brief> {
    let began = Instant::now();
    loop {
        match ask_after(BRIEFLY_SILENT, folder)? {
            Asked::Held(lock) => return Ok(Brief::of(lock)),
            Asked::Taken(holder) if began.elapsed() > patience => {
                let message = format!(
                    "{}: expected that {} lets it go within {} s, found it still at work; run the command again later",
                    folder.display(),
                    named(holder.as_ref()),
                    patience.as_secs()
                );
                return Err(io::Error::new(io::ErrorKind::ResourceBusy, message).into());
            }
            Asked::Taken(_) => std::thread::sleep(Duration::from_millis(50)),
        }
    }
}

/// What lies where a lock would.
enum Seen {
    Nothing,
    /// Its holder, where it can be read, and for how long it has been silent.
    Lock(Option<Holder>, Duration),
}

impl Seen {
    fn is_stale(&self, me: &Holder, limit: Duration) -> bool {
        match self {
            Self::Nothing => false,
            Self::Lock(None, silent) => *silent > UNREADABLE,
            Self::Lock(Some(holder), silent) => holder.is_gone(me, *silent, limit),
        }
    }
}

fn look(path: &Path) -> anyhow::Result<Seen> {
    let is_gone = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
    let (bytes, changed) = match std::fs::read(path).and_then(|bytes| Ok((bytes, std::fs::metadata(path)?.modified()?)))
    {
        Ok(found) => found,
        Err(error) if is_gone(&error) => return Ok(Seen::Nothing),
        Err(error) => return Err(error).with_context(|| format!("reading {}", path.display())),
    };
    let silent = now_there(path)?.duration_since(changed).unwrap_or_default();
    Ok(Seen::Lock(serde_json::from_slice(&bytes).ok(), silent))
}

/// The time by the clock of the file system.
fn now_there(path: &Path) -> anyhow::Result<std::time::SystemTime> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let time = tempfile::Builder::new().prefix(".lock-").tempfile_in(folder).and_then(|mut file| {
        file.write_all(b" ")?;
        file.as_file().metadata()?.modified()
    });
    time.with_context(|| format!("writing into {} (is the disk full?)", folder.display()))
}

/// Makes the lock, whole, where there is none; `None` where there is one.
fn make(path: &Path, me: &Holder) -> anyhow::Result<Option<Lock>> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let making = || format!("making {} (is the disk full?)", path.display());
    loop {
        let mut part = tempfile::Builder::new().prefix(".lock-").tempfile_in(folder).with_context(making)?;
        part.write_all(&serde_json::to_vec(me)?).with_context(making)?;
        let_others_read(part.as_file()).with_context(making)?;
        match part.persist_noclobber(path).map_err(|error| error.error) {
            Ok(file) => return Ok(Some(Lock { path: path.to_owned(), file, me: me.clone() })),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(None),
            // Its holder took it for a half-written file of somebody killed, and swept it away.
            Err(error) if error.kind() == io::ErrorKind::NotFound && folder.is_dir() => {}
            Err(error) => return Err(error).with_context(making),
        }
    }
}

/// Temporary files are their owner's alone; a lock is read by everybody who works on the folder.
#[cfg(unix)]
fn let_others_read(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}
#[cfg(not(unix))]
fn let_others_read(_file: &File) -> io::Result<()> {
    Ok(())
}

/// Removes a stale lock and makes one's own. Of several that try, one at a time looks and removes: a lock that was made meanwhile is
/// not stale.
fn take_over(path: &Path, me: &Holder, limit: Duration) -> anyhow::Result<Asked> {
    let guard = path.with_extension("takeover");
    let opened = File::options().create(true).truncate(false).write(true).open(&guard);
    let opened = opened.with_context(|| format!("making {}", guard.display()))?;
    // A file system without such locks has no guard; two that take over within the same millisecond would then both go on.
    if let Err(TryLockError::WouldBlock) = opened.try_lock() {
        return Ok(Asked::Taken(None));
    }
    let asked = match look(path)? {
        seen @ Seen::Lock(..) if !seen.is_stale(me, limit) => match seen {
            Seen::Lock(holder, _) => Asked::Taken(holder),
            Seen::Nothing => Asked::Taken(None),
        },
        seen => {
            if let Seen::Lock(..) = seen {
                std::fs::remove_file(path).with_context(|| format!("removing {}", path.display()))?;
            }
            make(path, me)?.map_or(Asked::Taken(None), Asked::Held)
        }
    };
    let _ = std::fs::remove_file(&guard);
    Ok(asked)
}

impl Lock {
    /// A sign of life: the content is written again, through the file that was made, whatever lies at its path now.
    pub(crate) fn sign(&self) {
        let mut file = &self.file;
        if let Ok(bytes) = serde_json::to_vec(&self.me) {
            // Nobody but a worker elsewhere, an hour later, would miss it.
            let _ = file.rewind().and_then(|()| file.write_all(&bytes));
        }
    }

    /// Whether nobody took it over.
    pub(crate) fn is_mine(&self) -> bool {
        std::fs::read(&self.path)
            .is_ok_and(|bytes| serde_json::from_slice::<Holder>(&bytes).ok().as_ref() == Some(&self.me))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if self.is_mine() {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

impl Holder {
    fn me() -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let text = |path: &str| std::fs::read_to_string(path).unwrap_or_default().trim().to_owned();
        let space = std::fs::read_link("/proc/self/ns/pid").unwrap_or_default().display().to_string();
        let variable = |name: &str| std::env::var(name).ok();
        let array = variable("SLURM_ARRAY_JOB_ID").zip(variable("SLURM_ARRAY_TASK_ID"));
        let job = array.map(|(job, task)| format!("{job}_{task}")).or_else(|| variable("SLURM_JOB_ID"));
        let pid = std::process::id();
        Self {
            host: text("/proc/sys/kernel/hostname"),
            pid,
            space,
            start: start_of(pid).unwrap_or_default(),
            job: job.unwrap_or_default(),
            number: NUMBER.fetch_add(1, Ordering::Relaxed),
        }
    }

    /// Where the system does not say when processes started, only silence tells.
    fn is_gone(&self, me: &Self, silent: Duration, limit: Duration) -> bool {
        let is_near = self.host == me.host && self.space == me.space && !me.start.is_empty();
        if is_near { start_of(self.pid).as_ref() != Some(&self.start) } else { silent > limit }
    }
}

/// The system's start and ticks from it to the process's; `None` when there is no process of that number.
fn start_of(pid: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in brackets may hold blanks: fields are counted after it.
    let ticks = stat.rsplit(") ").next()?.split(' ').nth(19)?;
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    Some(format!("{}/{ticks}", boot.trim()))
}

#[cfg(test)]
mod tests;
