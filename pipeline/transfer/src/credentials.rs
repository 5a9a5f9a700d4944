//! Who we are to a DICOMweb service: read from a file or the environment, never from a command line, never printed.

use std::fmt;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::TransferError;
use crate::private_file::read_private;

/// A value of the header `Authorization`.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials(String);

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(…)")
    }
}

const EXPECTED: &str = "expected one line, `Basic USER:PASSWORD` or `Bearer TOKEN`";

impl Credentials {
    /// From a file that only its owner can read.
    ///
    /// # Errors
    /// The file cannot be read, others can read it, or it holds something else.
    pub fn from_file(path: &Path) -> Result<Self, TransferError> {
        let bytes = read_private(path)?;
        let text = String::from_utf8_lossy(&bytes);
        Self::parse(&text).ok_or_else(|| TransferError::Usage(format!("{EXPECTED} in {}", path.display())))
    }

    /// From a variable of the environment.
    ///
    /// # Errors
    /// It is not set, or holds something else.
    pub fn from_env(name: &str) -> Result<Self, TransferError> {
        let text = std::env::var(name);
        let text = text.map_err(|_| TransferError::Usage(format!("the environment variable {name} is not set")))?;
        Self::parse(&text).ok_or_else(|| TransferError::Usage(format!("{EXPECTED} in the variable {name}")))
    }

    fn parse(text: &str) -> Option<Self> {
        let line = text.trim_end_matches(['\n', '\r']);
        let (scheme, secret) = line.split_once(' ')?;
        match scheme {
            "Basic" if secret.contains(':') && !secret.contains(char::is_control) => {
                Some(Self(format!("Basic {}", STANDARD.encode(secret))))
            }
            "Bearer" if !secret.is_empty() && secret.bytes().all(|b| b.is_ascii_graphic()) => {
                Some(Self(format!("Bearer {secret}")))
            }
            _ => None,
        }
    }

    /// What goes into the header.
    pub(crate) fn header(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_read_in_two_forms_and_never_shown() {
        let basic = Credentials::parse("Basic anna:geheim\n").unwrap();
        assert_eq!(basic.header(), "Basic YW5uYTpnZWhlaW0=");
        assert_eq!(format!("{basic:?}"), "Credentials(…)");
        assert_eq!(Credentials::parse("Bearer abc.def").unwrap().header(), "Bearer abc.def");
        for text in ["", "anna:geheim", "Basic anna", "Bearer ", "Bearer a\nb", "Digest x:y", "Bearer a\r\nX: y"] {
            assert!(Credentials::parse(text).is_none(), "{text:?}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_can_read_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "Bearer secret-token").unwrap();
        std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(0o640)).unwrap();
        let refused = Credentials::from_file(file.path()).unwrap_err().to_string();
        assert!(refused.contains("chmod 600") && !refused.contains("secret"), "{refused}");
        std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(Credentials::from_file(file.path()).unwrap().header(), "Bearer secret-token");
    }
}
