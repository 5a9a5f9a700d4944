//! A fuzzer's bytes as files in memory, which readers can open.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// A folder of this process below `/dev/shm` (memory) where there is one, below the system's temporary folder elsewhere.
fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let memory = Path::new("/dev/shm");
        let root = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let folder = root.join(format!("lesiontrace-fuzz-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a temporary folder can be made");
        folder
    })
}

/// The bytes as a file.
pub(crate) fn file(name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder().join(name);
    std::fs::write(&path, bytes).expect("memory holds a fuzz input");
    path
}

/// The bytes as a file of a name that no file had before, and the one before removed: the directory of a zip archive is kept by its
/// path.
pub(crate) fn new_file(extension: &str, bytes: &[u8]) -> PathBuf {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let _ = std::fs::remove_file(folder().join(format!("{}.{extension}", number.wrapping_sub(1))));
    file(&format!("{number}.{extension}"), bytes)
}

/// A folder that holds the bytes as the only file of its folder `in`.
pub(crate) fn folder_with_input(name: &str, bytes: &[u8]) -> &'static Path {
    std::fs::create_dir_all(folder().join("in")).expect("the folder was made");
    file(&format!("in/{name}"), bytes);
    folder()
}

/// The bytes as the only file of a folder.
pub(crate) fn folder_with(name: &str, bytes: &[u8]) -> &'static Path {
    for entry in std::fs::read_dir(folder()).expect("the folder was made").flatten() {
        let _ = std::fs::remove_file(entry.path());
    }
    file(name, bytes);
    folder()
}
