//! How much memory the patients at work may need together: what the user says, but never more than the machine's own bounds leave,
//! which are those of Slurm (`SLURM_MEM_PER_NODE`, `SLURM_MEM_PER_CPU`, in MiB) and of every cgroup from this process's to the root.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::schedule::parse_memory;

/// Of a bound the system enforces by killing, this share is for patients; the rest is the program's own, its network and its threads.
const SHARE_FOR_PATIENTS: (u64, u64) = (4, 5);
/// Where neither the user nor Slurm says anything.
const USUAL: u64 = 8 << 30;
/// Cgroups of version 1 write "no limit" as the largest number of pages.
const UNLIMITED: u64 = 1 << 60;

/// The bound, and who sets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MemoryBound {
    /// Bytes the patients at work may need together.
    pub(crate) bytes: u64,
    /// `--memory`, the variable, or the cgroup's file.
    set_by: String,
}

impl fmt::Display for MemoryBound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} MiB ({})", self.bytes >> 20, self.set_by)
    }
}

/// What the user says (`--memory`), else what Slurm grants, else [`USUAL`]; less where Slurm or a cgroup grants less.
pub(crate) fn memory_bound(said: Option<&str>) -> anyhow::Result<MemoryBound> {
    let variable = |name: &str| std::env::var(name).ok()?.parse().ok();
    let slurm = of_slurm(&variable);
    let said = match (said, &slurm) {
        (Some(said), _) => MemoryBound { bytes: parse_memory(said)?, set_by: "--memory".to_owned() },
        (None, Some(_)) => MemoryBound { bytes: u64::MAX, set_by: String::new() },
        (None, None) => MemoryBound { bytes: USUAL, set_by: "where --memory says nothing".to_owned() },
    };
    Ok(least(said, slurm.into_iter().chain(of_cgroups(Path::new("/")))))
}

/// The least of them; of the granted ones only their share for patients counts.
fn least(said: MemoryBound, granted: impl Iterator<Item = (u64, String)>) -> MemoryBound {
    let (of, all) = SHARE_FOR_PATIENTS;
    let shares = granted.map(|(bytes, by)| MemoryBound {
        bytes: bytes / all * of,
        set_by: format!("four fifths of the {} MiB of {by}", bytes >> 20),
    });
    shares.fold(said, |least, next| if next.bytes < least.bytes { next } else { least })
}

/// What Slurm grants this process's job on its node; 0 means all of it.
fn of_slurm(variable: &dyn Fn(&str) -> Option<u64>) -> Option<(u64, String)> {
    let granted = |name: &str| variable(name).filter(|mib| *mib > 0);
    let mib = |n: u64| n.checked_mul(1 << 20);
    if let Some(bytes) = granted("SLURM_MEM_PER_NODE").and_then(mib) {
        return Some((bytes, "SLURM_MEM_PER_NODE".to_owned()));
    }
    let n_cpus = granted("SLURM_CPUS_ON_NODE").unwrap_or(1);
    let bytes = granted("SLURM_MEM_PER_CPU")?.checked_mul(n_cpus).and_then(mib)?;
    Some((bytes, "SLURM_MEM_PER_CPU".to_owned()))
}

/// The limits of every cgroup this process is in, from its own to the outermost one to be seen below `root`. A job's limit often lies
/// on a group above the process's own.
fn of_cgroups(root: &Path) -> Vec<(u64, String)> {
    let read = |path: &str| std::fs::read_to_string(root.join(path)).unwrap_or_default();
    let (groups, mounts) = (read("proc/self/cgroup"), read("proc/self/mountinfo"));
    let hierarchies = mounts.lines().filter_map(Hierarchy::of_mount);
    hierarchies.flat_map(|hierarchy| hierarchy.limits(&groups, root)).collect()
}

/// A mounted tree of cgroups that counts memory.
struct Hierarchy {
    mounted_at: PathBuf,
    /// The cgroup that is the mount's root: not `/` in a container that sees only its own.
    top: PathBuf,
    is_unified: bool,
}

impl Hierarchy {
    /// Of a line of `/proc/self/mountinfo` (proc(5)): number, parent, device, root, mount point, options…, `-`, type, source, options.
    fn of_mount(line: &str) -> Option<Self> {
        let (mount, system) = line.split_once(" - ")?;
        let (mut mount, mut system) = (mount.split(' ').skip(3), system.split(' '));
        let (top, mounted_at) = (mount.next()?.into(), mount.next()?.into());
        let is_unified = match system.next()? {
            "cgroup2" => true,
            "cgroup" => false,
            _ => return None,
        };
        let counts_memory = is_unified || system.nth(1)?.split(',').any(|option| option == "memory");
        counts_memory.then_some(Self { mounted_at, top, is_unified })
    }

    /// Limits in bytes with their files, from this process's cgroup upwards. `groups` is `/proc/self/cgroup` (cgroups(7)).
    fn limits(&self, groups: &str, root: &Path) -> Vec<(u64, String)> {
        let own = groups.lines().find_map(|line| {
            let mut parts = line.splitn(3, ':').skip(1);
            let (controllers, path) = (parts.next()?, parts.next()?);
            let is_ours =
                if self.is_unified { controllers.is_empty() } else { controllers.split(',').any(|c| c == "memory") };
            is_ours.then(|| PathBuf::from(path))
        });
        let Some(own) = own else { return Vec::new() };
        // In a container without a namespace of its own, paths are the host's, and its mount shows only what is below `top`.
        let below = own.strip_prefix(&self.top).or_else(|_| own.strip_prefix("/")).unwrap_or(&own);
        let file = if self.is_unified { "memory.max" } else { "memory.limit_in_bytes" };
        let limit = |group: &Path| {
            let path = self.mounted_at.join(group).join(file);
            let text = std::fs::read_to_string(root.join(path.strip_prefix("/").unwrap_or(&path))).ok()?;
            let bytes = text.trim().parse().ok().filter(|bytes| (1..UNLIMITED).contains(bytes))?;
            Some((bytes, path.display().to_string()))
        };
        below.ancestors().filter_map(limit).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(bytes: u64) -> MemoryBound {
        MemoryBound { bytes, set_by: "--memory".to_owned() }
    }

    fn world(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        root
    }

    #[test]
    fn what_the_user_says_holds_unless_less_is_granted() {
        let granted = |mib: u64| std::iter::once((mib << 20, "a job".to_owned()));
        assert_eq!(least(said(1 << 30), granted(4096)), said(1 << 30));
        let bound = least(said(8 << 30), granted(1000));
        assert_eq!(bound.to_string(), "800 MiB (four fifths of the 1000 MiB of a job)");
    }

    #[test]
    fn slurm_grants_by_node_or_by_processor() {
        let of = |pairs: &'static [(&'static str, u64)]| {
            of_slurm(&|name| pairs.iter().find(|(n, _)| *n == name).map(|(_, v)| *v)).map(|(bytes, _)| bytes >> 20)
        };
        assert_eq!(of(&[("SLURM_MEM_PER_NODE", 4000), ("SLURM_MEM_PER_CPU", 10)]), Some(4000));
        assert_eq!(of(&[("SLURM_MEM_PER_CPU", 1000), ("SLURM_CPUS_ON_NODE", 3)]), Some(3000));
        assert_eq!(of(&[("SLURM_MEM_PER_NODE", 0)]), None, "0 is all memory of the node");
        assert_eq!(of(&[("SLURM_MEM_PER_NODE", u64::MAX)]), None, "a number no machine has");
        assert_eq!(of(&[]), None);
    }

    #[test]
    fn the_limit_of_a_cgroup_above_the_own_one_counts() {
        let root = world(&[
            ("proc/self/cgroup", "4:cpu,memory:/slurm/job_7/step_batch/task_0\n2:freezer:/else\n"),
            ("proc/self/mountinfo", "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,cpu,memory\n"),
            ("sys/fs/cgroup/memory/slurm/job_7/step_batch/task_0/memory.limit_in_bytes", "9223372036854771712\n"),
            ("sys/fs/cgroup/memory/slurm/job_7/step_batch/memory.limit_in_bytes", "419430400\n"),
            ("sys/fs/cgroup/memory/slurm/job_7/memory.limit_in_bytes", "524288000\n"),
        ]);
        let limits: Vec<u64> = of_cgroups(root.path()).into_iter().map(|(bytes, _)| bytes >> 20).collect();
        assert_eq!(limits, [400, 500]);
    }

    #[test]
    fn a_container_of_the_unified_kind_sees_its_own_limit() {
        let root = world(&[
            ("proc/self/cgroup", "0::/\n"),
            ("proc/self/mountinfo", "41 31 0:38 / /sys/fs/cgroup ro,nosuid shared:4 - cgroup2 cgroup rw\n"),
            ("sys/fs/cgroup/memory.max", "3221225472\n"),
        ]);
        assert_eq!(of_cgroups(root.path()), [(3 << 30, "/sys/fs/cgroup/memory.max".to_owned())]);
    }

    #[test]
    fn a_container_with_the_hosts_paths_sees_its_own_limit() {
        let root = world(&[
            ("proc/self/cgroup", "6:memory:/box/abc\n"),
            ("proc/self/mountinfo", "35 31 0:32 /box/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n"),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "1073741824\n"),
        ]);
        let limits: Vec<u64> = of_cgroups(root.path()).into_iter().map(|(bytes, _)| bytes >> 20).collect();
        assert_eq!(limits, [1024]);
    }

    #[test]
    fn a_group_without_a_limit_and_a_machine_without_cgroups_bound_nothing() {
        let root = world(&[
            ("proc/self/cgroup", "0::/user\n"),
            (
                "proc/self/mountinfo",
                "41 31 0:38 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n9 1 0:3 / / rw - ext4 d rw\n",
            ),
            ("sys/fs/cgroup/user/memory.max", "max\n"),
        ]);
        assert_eq!(of_cgroups(root.path()), []);
        assert_eq!(of_cgroups(&root.path().join("nowhere")), []);
    }
}
