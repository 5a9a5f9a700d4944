//! How much memory this process holds and held at most, as the system counts it.

/// Bytes held now; `None` where the system does not say (other systems than Linux).
pub(crate) fn held() -> Option<u64> {
    of_status("VmRSS:")
}

/// Bytes held at most since the process began.
pub(crate) fn peak() -> Option<u64> {
    of_status("VmHWM:")
}

fn of_status(key: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let kib: u64 =
        status.lines().find_map(|line| line.strip_prefix(key))?.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn the_peak_is_never_below_what_is_held() {
        let (held, peak) = (held().unwrap(), peak().unwrap());
        assert!(held > 1 << 20 && peak >= held, "{held} {peak}");
    }
}
