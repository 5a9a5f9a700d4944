//! The key's file: 32 random bytes of the system as 64 hexadecimal digits, readable by its owner alone, never beside the data.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::key::{Key, N_KEY_BYTES};

/// Where the system gives random bytes.
const RANDOM: &str = "/dev/urandom";

/// Bits of a mode that let group or others in.
#[cfg(unix)]
const OTHERS: u32 = 0o077;

/// Why there is no key.
#[derive(Debug, Error)]
pub enum KeyError {
    /// The key would lie with the data it protects.
    #[error("the key {} lies inside {}: whoever gets the data would get the key; keep it in a folder of its own", key.display(), folder.display())]
    BesideData {
        /// The key's file.
        key: PathBuf,
        /// The folder of data.
        folder: PathBuf,
    },
    /// Others may read it.
    #[error("the key {} may be read by others (mode {mode:03o}, expected 600); run `chmod 600` on it, and make a new one if others had access", path.display())]
    ReadableByOthers {
        /// The key's file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// Not a key.
    #[error("{} is no key: expected 64 hexadecimal digits, found something else; name another file (one is made where none is)", path.display())]
    Malformed {
        /// The key's file.
        path: PathBuf,
    },
    /// The file cannot be read or written.
    #[error("the key {} cannot be read or written: {source}; its folder must exist and be yours", path.display())]
    Io {
        /// The key's file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// Reads the key, or makes one where there is none; `true` where it was made. `data` are the folders it must not lie in.
pub fn open_or_make(path: &Path, data: &[&Path]) -> Result<(Key, bool), KeyError> {
    let io = |source| KeyError::Io { path: path.to_owned(), source };
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let own_folder = std::fs::canonicalize(folder).map_err(io)?;
    // A link must not hide where the key really lies.
    let real = std::fs::canonicalize(path).ok().and_then(|p| p.parent().map(Path::to_owned));
    for data_folder in data {
        let known = std::fs::canonicalize(data_folder).unwrap_or_else(|_| (*data_folder).to_owned());
        if own_folder.starts_with(&known) || real.as_ref().is_some_and(|p| p.starts_with(&known)) {
            return Err(KeyError::BesideData { key: path.to_owned(), folder: (*data_folder).to_owned() });
        }
    }
    match create(path) {
        Ok(key) => Ok((key, true)),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => read(path).map(|key| (key, false)),
        Err(error) => Err(io(error)),
    }
}

fn create(path: &Path) -> std::io::Result<Key> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    let mut bytes = [0_u8; N_KEY_BYTES];
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let written = File::open(RANDOM)
        .and_then(|mut random| random.read_exact(&mut bytes))
        .and_then(|()| file.write_all(format!("{}\n", hex(&bytes)).as_bytes()))
        .and_then(|()| file.sync_all());
    if let Err(error) = written {
        // Half a key must not be taken for one; that it cannot be removed changes nothing about the error.
        let _ = std::fs::remove_file(path);
        return Err(error);
    }
    Ok(Key::from_bytes(bytes))
}

fn read(path: &Path) -> Result<Key, KeyError> {
    let io = |source| KeyError::Io { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(io)?;
    check_mode(path, &file)?;
    let mut text = String::new();
    let malformed = || KeyError::Malformed { path: path.to_owned() };
    std::io::Read::by_ref(&mut file).take(1024).read_to_string(&mut text).map_err(|_| malformed())?;
    let digits = text.trim();
    if digits.len() != 2 * N_KEY_BYTES || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(malformed());
    }
    let mut bytes = [0_u8; N_KEY_BYTES];
    for (n, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&digits[2 * n..2 * n + 2], 16).map_err(|_| malformed())?;
    }
    Ok(Key::from_bytes(bytes))
}

#[cfg(unix)]
fn check_mode(path: &Path, file: &File) -> Result<(), KeyError> {
    use std::os::unix::fs::PermissionsExt as _;
    let io = |source| KeyError::Io { path: path.to_owned(), source };
    let mode = file.metadata().map_err(io)?.permissions().mode() & 0o777;
    if mode & OTHERS == 0 { Ok(()) } else { Err(KeyError::ReadableByOthers { path: path.to_owned(), mode }) }
}
#[cfg(not(unix))]
fn check_mode(_path: &Path, _file: &File) -> Result<(), KeyError> {
    Ok(())
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_key_is_made_once_private_and_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let (made, is_new) = open_or_make(&path, &[]).unwrap();
        assert!(is_new);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let (again, is_new) = open_or_make(&path, &[]).unwrap();
        assert!(made == again && !is_new);
        let (other, _) = open_or_make(&folder.path().join("other"), &[]).unwrap();
        assert!(made != other, "keys are random");
    }

    #[test]
    fn a_key_others_can_read_beside_the_data_or_of_another_shape_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        open_or_make(&path, &[]).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(open_or_make(&path, &[]).unwrap_err().to_string().contains("mode 640"));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        let data = folder.path().join("data");
        std::fs::create_dir_all(data.join("deep")).unwrap();
        assert!(matches!(open_or_make(&data.join("deep/key"), &[&data]), Err(KeyError::BesideData { .. })));
        std::fs::write(data.join("real"), "x").unwrap();
        std::os::unix::fs::symlink(data.join("real"), folder.path().join("link")).unwrap();
        assert!(matches!(open_or_make(&folder.path().join("link"), &[&data]), Err(KeyError::BesideData { .. })));
        std::fs::write(&path, "secret").unwrap();
        assert!(matches!(open_or_make(&path, &[&data]), Err(KeyError::Malformed { .. })));
        assert!(matches!(open_or_make(&folder.path().join("no/key"), &[&data]), Err(KeyError::Io { .. })));
    }
}
