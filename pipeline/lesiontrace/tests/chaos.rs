//! Runs that are killed, terminated, doubled, whose files are cut and whose clocks jump: after the last resume the cohort is that of an
//! undisturbed run.
//!
//! Short by default; `scripts/chaos` asks for more by
//! `LESIONTRACE_CHAOS="patients kills terminations doubles cuts fills jumps seed"`.

#![expect(clippy::unwrap_used, reason = "a test may unwrap; clippy does not see that its helpers are tests")]

#[path = "files/calls.rs"]
mod calls;
#[path = "files/clock.rs"]
mod clock;
#[path = "files/cohort.rs"]
mod cohort;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use calls::{entry, run, status};
use clock::Jumping;
use cohort::{BASELINE, Cohort, FOLLOW_UP, comparable};
use serde_json::Value;

const DONE: i32 = 0;
const TRANSIENT: i32 = 75;
const TERMINATED: i32 = 143;
/// What a user is promised from the signal to the end.
const PROMISED: Duration = Duration::from_secs(20);

/// What happens to a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Disturbance {
    Kill,
    Terminate,
    /// Two runners, of which one is killed.
    Double,
    /// A file of the output folder loses its second half between two runs.
    Cut,
    /// The disk is full while the run goes on.
    Fill,
    /// Two runners, of which one has a clock that jumps by hours; locks and ledger entries get times hours away.
    Jump,
}

/// Numbers from a seed (Knuth's 64-bit linear congruence, upper bits).
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % n.max(1)
    }
}

/// A small file system in the output folder's place, where this machine lets the test mount one.
struct SmallDisk {
    folder: PathBuf,
    mib: usize,
}

/// What a disk has beyond the results of the undisturbed run; those of two hundred patients alone take 36 MiB.
const ROOM_MIB: usize = 30;

impl SmallDisk {
    fn mount(folder: &Path, of_results: usize) -> Option<Self> {
        std::fs::create_dir_all(folder).unwrap();
        let mib = (of_results >> 20) + ROOM_MIB;
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={mib}m"), "tmpfs"]).arg(folder).stderr(Stdio::null());
        mount.status().is_ok_and(|status| status.success()).then(|| Self { folder: folder.to_owned(), mib })
    }

    fn fill(&self) {
        let filler = self.folder.join("filler");
        let _ = std::fs::write(&filler, vec![1_u8; (self.mib + 1) << 20]);
    }

    fn empty(&self) {
        std::fs::remove_file(self.folder.join("filler")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.folder).status();
    }
}

/// What became of the runs.
#[derive(Debug, Default)]
struct Figures {
    by_kind: BTreeMap<Disturbance, usize>,
    by_code: BTreeMap<String, usize>,
    longest_end: Duration,
    cut: BTreeSet<String>,
    jumping: Vec<Jumping>,
    n_shifted: usize,
}

fn start(cohort: &Cohort) -> Child {
    command(cohort).spawn().unwrap()
}

fn command(cohort: &Cohort) -> Command {
    let [study, archive, out] = ["study.toml", "archive", "out"].map(|p| cohort.path(p).display().to_string());
    let mut command = Command::new(env!("CARGO_BIN_EXE_lesiontrace"));
    command.args(["run", &study, "--archive", &archive, "--out", &out, "--resume", "--threads", "1"]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

impl Figures {
    fn ended(&mut self, child: &mut Child) -> Option<i32> {
        let code = child.wait().unwrap().code();
        *self.by_code.entry(code.map_or("killed".to_owned(), |code| code.to_string())).or_insert(0) += 1;
        code
    }

    fn terminate(&mut self, child: &mut Child) {
        let _ = Command::new("kill").args(["-TERM", &child.id().to_string()]).stderr(Stdio::null()).status();
        let asked = Instant::now();
        // No code: the signal came before the program listened. 0 and 1: it ended before the signal came.
        let code = self.ended(child);
        assert!(matches!(code, None | Some(TERMINATED | 0 | 1)), "{code:?}");
        self.longest_end = self.longest_end.max(asked.elapsed());
        assert!(asked.elapsed() < PROMISED, "{:?}", asked.elapsed());
    }

    /// Cuts some file in two; what other processes hold (locks) is theirs.
    fn cut(&mut self, cohort: &Cohort, random: &mut Random) {
        if !cohort.path("out").is_dir() {
            return;
        }
        let files: Vec<PathBuf> = comparable(&cohort.path("out")).into_keys().collect();
        let all: Vec<PathBuf> = files.into_iter().filter(|f| !f.to_string_lossy().contains(".lock")).collect();
        let Some(name) = all.get(random.below(all.len())) else { return };
        // The ledger's own entries are not compared, and are cut as well.
        let status = name.with_file_name("status.json");
        let chosen =
            if random.below(4) == 0 && cohort.path("out").join(&status).is_file() { status } else { name.clone() };
        let path = cohort.path("out").join(&chosen);
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        self.cut.insert(chosen.display().to_string());
    }

    /// A runner on a wrong clock, which jumps, beside one on the true clock; then one is killed and the other terminated.
    fn jump(&mut self, cohort: &Cohort, wait: Duration, random: &mut Random) {
        let hours = |random: &mut Random| clock::HOURS[random.below(clock::HOURS.len())];
        let folder = cohort.path("archive").with_file_name("clocks");
        std::fs::create_dir_all(&folder).unwrap();
        let is_far = random.below(2) == 0;
        let (mut jumping, mut child) = Jumping::start(&mut command(cohort), &folder, hours(random), is_far);
        let mut other = start(cohort);
        std::thread::sleep(wait / 2);
        jumping.jump(hours(random));
        self.n_shifted += clock::shift_file_times(&cohort.path("out"), hours(random));
        std::thread::sleep(wait / 2);
        let (killed, terminated) =
            if random.below(2) == 0 { (&mut child, &mut other) } else { (&mut other, &mut child) };
        killed.kill().unwrap();
        self.ended(killed);
        std::thread::sleep(wait / 2);
        self.terminate(terminated);
        self.jumping.push(jumping);
    }

    fn disturb(
        &mut self,
        what: Disturbance,
        cohort: &Cohort,
        disk: Option<&SmallDisk>,
        wait: Duration,
        random: &mut Random,
    ) {
        *self.by_kind.entry(what).or_insert(0) += 1;
        if what == Disturbance::Cut {
            return self.cut(cohort, random);
        }
        if what == Disturbance::Jump {
            return self.jump(cohort, wait, random);
        }
        if let (Disturbance::Fill, Some(disk)) = (what, disk) {
            let mut child = start(cohort);
            std::thread::sleep(wait);
            disk.fill();
            let code = self.ended(&mut child);
            assert!(matches!(code, Some(DONE | 1 | TRANSIENT)), "{code:?}");
            return disk.empty();
        }
        let mut child = start(cohort);
        let mut other = (what == Disturbance::Double).then(|| start(cohort));
        std::thread::sleep(wait);
        if what == Disturbance::Terminate {
            self.terminate(&mut child);
        } else {
            child.kill().unwrap();
            self.ended(&mut child);
        }
        if let Some(other) = &mut other {
            std::thread::sleep(wait);
            self.terminate(other);
        }
    }
}

/// A process that goes on with a patient after another one has begun it has been robbed of its lock. Returns how often each patient was
/// begun.
fn nobody_is_doubled(cohort: &Cohort, jumping: &[Jumping]) -> BTreeMap<String, usize> {
    let mut lines: Vec<Value> = Vec::new();
    for entry in std::fs::read_dir(cohort.path("out/logs")).unwrap() {
        // A line that a full disk or a kill cut short says nothing.
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        lines.extend(text.lines().filter_map(|line| serde_json::from_str(line).ok()));
    }
    let time = |line: &Value| {
        let said = line["time"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
        let clock = jumping.iter().find(|one| line["pid"].as_u64() == Some(u64::from(one.pid)));
        clock.map_or(said, |clock| clock.truly(said))
    };
    lines.sort_by_key(time);
    let mut holder: BTreeMap<String, u64> = BTreeMap::new();
    let mut known = BTreeSet::new();
    let mut n_started = BTreeMap::new();
    for line in lines.iter().filter(|line| line["event"] != "left") {
        let (patient, pid) = (line["patient"].as_str().unwrap().to_owned(), line["pid"].as_u64().unwrap());
        if line["event"] == "started" {
            *n_started.entry(patient.clone()).or_insert(0) += 1;
            known.insert((patient.clone(), pid));
            holder.insert(patient, pid);
        } else if known.contains(&(patient.clone(), pid)) {
            assert_eq!(holder.get(&patient), Some(&pid), "{line}");
        }
    }
    n_started
}

fn asked() -> [usize; 8] {
    let text = std::env::var("LESIONTRACE_CHAOS").unwrap_or_else(|_| "3 2 1 1 2 1 2 1".to_owned());
    let numbers: Vec<usize> = text.split_whitespace().map(|number| number.parse().unwrap()).collect();
    numbers.try_into().expect("patients kills terminations doubles cuts fills jumps seed")
}

#[test]
fn after_the_last_resume_the_cohort_is_that_of_an_undisturbed_run() {
    let [patients, kills, terminations, doubles, cuts, fills, jumps, seed] = asked();
    let ids: Vec<String> = (0..patients).map(|n| format!("P-{n:03}")).collect();
    let cohort = Cohort::new(&ids.iter().map(String::as_str).collect::<Vec<_>>());
    let began = Instant::now();
    assert_eq!(run(&cohort, "calm", &["--threads", "1"]).0, DONE);
    let calm_time = began.elapsed();
    let of_results = comparable(&cohort.path("calm")).values().map(Vec::len).sum();
    let disk = SmallDisk::mount(&cohort.path("out"), of_results);
    let fills = if disk.is_some() { fills } else { 0 };
    let kinds = [
        (Disturbance::Kill, kills),
        (Disturbance::Terminate, terminations),
        (Disturbance::Double, doubles),
        (Disturbance::Cut, cuts),
        (Disturbance::Fill, fills),
        (Disturbance::Jump, jumps),
    ];
    let mut queue: Vec<Disturbance> = kinds.iter().flat_map(|(what, n)| std::iter::repeat_n(*what, *n)).collect();
    let mut random = Random(seed as u64);
    let mut figures = Figures::default();
    // What they leave of the runs lasts about as long as the calm run, so that they meet it at every place: as long as a run takes to
    // begin comes on top.
    let began = Instant::now();
    assert_eq!(run(&cohort, "calm", &["--threads", "1", "--dry-run"]).0, DONE);
    let longest_us = 2 * (calm_time / queue.len().max(1) as u32 + began.elapsed()).as_micros() as usize;
    while !queue.is_empty() {
        let what = queue.swap_remove(random.below(queue.len()));
        let wait = Duration::from_micros(random.below(longest_us) as u64);
        figures.disturb(what, &cohort, disk.as_ref(), wait, &mut random);
    }
    assert_eq!(run(&cohort, "out", &["--resume"]).0, DONE);
    let ledger = status(&cohort, "out");
    assert_eq!(ledger["counts"]["done"], patients, "nobody is lost");
    assert!(entry(&ledger, &ids[0])["attempt"].as_u64().unwrap() > 0);
    let table = cohort.read("out/cohort/measurements.csv");
    assert!(table.contains(BASELINE) && table.contains(FOLLOW_UP), "{table}");
    let n_attempts = nobody_is_doubled(&cohort, &figures.jumping);
    let n_started: usize = n_attempts.values().sum();
    let [calm, disturbed] = ["calm/cohort", "out/cohort"].map(|folder| comparable(&cohort.path(folder)));
    assert!(calm.len() > 10 && calm == disturbed, "the cohort's tables and page differ");
    let results = |out: &str| {
        let all = comparable(&cohort.path(&format!("{out}/patients")));
        all.into_iter().filter(|(path, _)| !path.to_string_lossy().contains("/cache/")).collect::<BTreeMap<_, _>>()
    };
    let (calm, disturbed) = (results("calm"), results("out"));
    assert_eq!(calm.keys().collect::<Vec<_>>(), disturbed.keys().collect::<Vec<_>>());
    assert!(calm == disturbed, "the patients' files differ");
    println!(
        "{patients} patients, calm run {:.1} s; disturbances {:?}; ends {:?}; {n_started} starts",
        calm_time.as_secs_f64(),
        figures.by_kind,
        figures.by_code
    );
    let n_again = n_attempts.values().filter(|n| **n > 1).count();
    println!("{n_again} patients were begun more than once, one of them {} times", n_attempts.values().max().unwrap());
    println!(
        "longest from SIGTERM to the end {:.2} s; {} clocks jumped (libfaketime {}), {} file times shifted; {} different files cut",
        figures.longest_end.as_secs_f64(),
        figures.jumping.len(),
        if clock::library().is_some() { "used" } else { "not there" },
        figures.n_shifted,
        figures.cut.len()
    );
    println!("cohort and patients byte-equal ({} files)", calm.len());
}
