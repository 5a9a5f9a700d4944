//! Pages as PDF: a Chromium of this machine prints them without a window and without a network.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::out;

/// The variable that names the browser.
const VARIABLE: &str = "CHROMIUM";
/// Names looked for on the PATH, in this order.
const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];
/// The longest a page takes. Origin: 12 visits and 20 lesions print in 5 s on a slow machine.
const PATIENCE: Duration = Duration::from_mins(3);

/// A browser that prints.
pub(crate) struct Browser {
    program: PathBuf,
}

impl Browser {
    /// The browser that `$CHROMIUM` names, else the first of its usual names on the PATH.
    pub(crate) fn find() -> anyhow::Result<Self> {
        if let Some(named) = std::env::var_os(VARIABLE).filter(|named| !named.is_empty()) {
            let program = on_path(Path::new(&named)).with_context(|| {
                format!("${VARIABLE} names {}, which is no program; name a Chromium or Chrome there", named.display())
            })?;
            return Ok(Self { program });
        }
        let found = NAMES.iter().find_map(|name| on_path(Path::new(name)));
        let program = found.with_context(|| {
            format!(
                "printing needs a Chromium: expected one of {} on the PATH, or its path in ${VARIABLE}, found none; on Debian: apt-get install chromium",
                NAMES.join(", ")
            )
        })?;
        Ok(Self { program })
    }

    /// Prints a page to a PDF, which is written whole or not at all.
    pub(crate) fn print(&self, page: &Path, pdf: &Path) -> anyhow::Result<()> {
        let work = tempfile::tempdir().context("making a temporary folder for the browser")?;
        let made = work.path().join("page.pdf");
        let page = std::path::absolute(page)?;
        let address = file_address(&page);
        let mut command = Command::new(&self.program);
        command
            .args(["--headless", "--disable-gpu", "--no-first-run", "--disable-extensions", "--disable-sync"])
            .args(["--disable-background-networking", "--disable-component-update", "--no-pdf-header-footer"])
            // Nothing a page could ask for is ever asked of a network.
            .args(["--host-resolver-rules=MAP * ~NOTFOUND", "--proxy-server=http://127.0.0.1:9"])
            .arg(format!("--user-data-dir={}", work.path().join("profile").display()))
            .arg(format!("--print-to-pdf={}", made.display()));
        if is_root() {
            // Chromium refuses its sandbox to root, as in containers; what it opens is a page of this program's own.
            command.arg("--no-sandbox");
        }
        command.arg(address).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().with_context(|| format!("starting {}", self.program.display()))?;
        wait(child).with_context(|| format!("printing {}", page.display()))?;
        let bytes = std::fs::read(&made).unwrap_or_default();
        anyhow::ensure!(
            bytes.starts_with(b"%PDF"),
            "printing {}: {} ended without a PDF; try it by hand: {} --headless --print-to-pdf=page.pdf FILE",
            page.display(),
            self.program.display(),
            self.program.display()
        );
        out::write_atomic(pdf, &bytes)
    }
}

/// A file as an address: everything but plain characters percent-encoded.
fn file_address(path: &Path) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'.' | b'_' | b'-');
    let encoded = path
        .as_os_str()
        .as_encoded_bytes()
        .iter()
        .map(|byte| if plain(*byte) { char::from(*byte).to_string() } else { format!("%{byte:02X}") });
    format!("file://{}", encoded.collect::<String>())
}

/// The program itself, or where it lies on the PATH.
fn on_path(name: &Path) -> Option<PathBuf> {
    if name.components().count() > 1 {
        return name.is_file().then(|| name.to_owned());
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|program| program.is_file())
}

#[cfg(unix)]
fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

#[cfg(not(unix))]
fn is_root() -> bool {
    false
}

/// Waits for the browser and ends it when it takes too long.
fn wait(mut child: Child) -> anyhow::Result<()> {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            anyhow::ensure!(status.success(), "the browser ended with {status}");
            return Ok(());
        }
        if started.elapsed() > PATIENCE {
            let _ = child.kill();
            let _ = child.wait();
            anyhow::bail!("the browser did not end within {} s", PATIENCE.as_secs());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_names_of_folders_become_addresses() {
        assert_eq!(file_address(Path::new("/a b/%2E#1/ä.html")), "file:///a%20b/%252E%231/%C3%A4.html");
    }
}
