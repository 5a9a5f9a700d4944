//! Files that hold a secret: read only where nobody but their owner can.

use std::path::Path;

use crate::TransferError;

/// The bytes of such a file.
pub(crate) fn read_private(path: &Path) -> Result<Vec<u8>, TransferError> {
    let file = || TransferError::file(path);
    let metadata = std::fs::metadata(path).map_err(file())?;
    if others_may_read(&metadata) {
        let message = format!("{} can be read by others; `chmod 600` it", path.display());
        return Err(TransferError::Usage(message));
    }
    std::fs::read(path).map_err(file())
}

#[cfg(unix)]
fn others_may_read(metadata: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    metadata.mode() & 0o077 != 0
}
#[cfg(not(unix))]
fn others_may_read(_metadata: &std::fs::Metadata) -> bool {
    false
}
