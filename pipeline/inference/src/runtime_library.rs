//! Where the library of ONNX Runtime is looked for. It is loaded at run time and is no part of the program.

use std::collections::BTreeSet;
use std::env;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// The program's own variable: the library's file or its folder.
pub const VARIABLE: &str = "LESIONTRACE_ONNXRUNTIME";
/// The variable other programs built on the same binding read.
pub const SHARED_VARIABLE: &str = "ORT_DYLIB_PATH";
/// The command that fetches the library.
pub const FETCH_COMMAND: &str = "scripts/fetch_onnxruntime";

/// Why no library is used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LibraryError {
    /// Nowhere to be found.
    #[error(
        "the library of ONNX Runtime ({file}) was not found; run {FETCH_COMMAND}, or name it in {VARIABLE}. Looked in:\n{}", list(.looked)
    )]
    NotFound {
        /// The file's name on this system.
        file: String,
        /// The places, in the order they were looked at.
        looked: Vec<PathBuf>,
    },
    /// Named by the user, but not there. No other place is tried: the user meant this one.
    #[error(
        "{named_by} says that ONNX Runtime is at {path}, but no file is there; correct it, or leave it out and run {FETCH_COMMAND}"
    )]
    NamedButMissing {
        /// The flag or variable.
        named_by: String,
        /// What it says.
        path: PathBuf,
    },
}

fn list(places: &[PathBuf]) -> String {
    places.iter().map(|p| format!("  {}", p.display())).collect::<Vec<_>>().join("\n")
}

/// What the search depends on, so that it can be tested without the world.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// The value of [`VARIABLE`].
    pub variable: Option<PathBuf>,
    /// The value of [`SHARED_VARIABLE`].
    pub shared_variable: Option<PathBuf>,
    /// The folder of the running executable.
    pub executable_dir: Option<PathBuf>,
    /// The current folder.
    pub current_dir: Option<PathBuf>,
    /// The dynamic linker's folders.
    pub system: Vec<PathBuf>,
}

impl Surroundings {
    /// Those of this process.
    pub fn of_this_process() -> Self {
        let variable = |name: &str| env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
        let linker = if cfg!(target_os = "macos") { "DYLD_LIBRARY_PATH" } else { "LD_LIBRARY_PATH" };
        let mut system: Vec<PathBuf> =
            env::var_os(linker).map(|v| env::split_paths(&v).filter(|p| p.is_absolute()).collect()).unwrap_or_default();
        let triplet = format!("/usr/lib/{}-linux-gnu", env::consts::ARCH);
        system
            .extend(["/usr/local/lib", &triplet, "/usr/lib64", "/usr/lib", "/opt/onnxruntime/lib"].map(PathBuf::from));
        Self {
            variable: variable(VARIABLE),
            shared_variable: variable(SHARED_VARIABLE),
            executable_dir: env::current_exe().ok().and_then(|exe| exe.parent().map(Path::to_owned)),
            current_dir: env::current_dir().ok(),
            system,
        }
    }

    /// The library: what `flag` names, else [`VARIABLE`], else [`SHARED_VARIABLE`], else beside the executable and in `../lib`, else
    /// in `vendor/onnxruntime` of a folder above the executable or the current folder, else the linker's folders. Always absolute.
    pub fn find(&self, flag: Option<&Path>) -> Result<PathBuf, LibraryError> {
        let file = format!("{}onnxruntime{}", env::consts::DLL_PREFIX, env::consts::DLL_SUFFIX);
        let named = [
            ("the path given for the library", flag),
            (VARIABLE, self.variable.as_deref()),
            (SHARED_VARIABLE, self.shared_variable.as_deref()),
        ];
        if let Some((named_by, path)) = named.into_iter().find_map(|(by, path)| Some((by, path?))) {
            return self
                .at_named(path, &file)
                .ok_or_else(|| LibraryError::NamedButMissing { named_by: named_by.to_owned(), path: path.to_owned() });
        }
        let looked = self.folders("onnxruntime").into_iter().chain(self.system.iter().cloned());
        let mut seen = BTreeSet::new();
        let looked: Vec<PathBuf> = looked
            .filter(|folder| folder.is_absolute() && seen.insert(folder.clone()))
            .map(|folder| folder.join(&file))
            .collect();
        looked.iter().find(|path| path.is_file()).cloned().ok_or(LibraryError::NotFound { file, looked })
    }

    fn at_named(&self, path: &Path, file: &str) -> Option<PathBuf> {
        let path = if path.is_absolute() { path.to_owned() } else { self.current_dir.as_ref()?.join(path) };
        let path = if path.is_dir() { path.join(file) } else { path };
        path.is_file().then_some(path)
    }

    /// Where something that is fetched into `vendor/<name>` is looked for, the linker's folders apart: beside the executable, in
    /// `../lib`, in `vendor/<name>` of a folder above the executable or the current folder. Always absolute, each once.
    pub fn folders(&self, name: &str) -> Vec<PathBuf> {
        let mut folders = Vec::new();
        if let Some(dir) = &self.executable_dir {
            folders.push(dir.clone());
            folders.extend(dir.parent().map(|above| above.join("lib")));
        }
        for start in [&self.executable_dir, &self.current_dir].into_iter().flatten() {
            folders.extend(start.ancestors().map(|dir| dir.join("vendor").join(name)));
        }
        let mut seen = BTreeSet::new();
        folders.retain(|folder| folder.is_absolute() && seen.insert(folder.clone()));
        folders
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const FILE: &str = "libonnxruntime.so";

    fn touch(path: &Path) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_order_is_flag_variables_executable_vendor_system() {
        let root = tempfile::tempdir().unwrap();
        let at = |path: &str| root.path().join(path);
        let mut here = Surroundings {
            variable: Some(at("named/own.so")),
            shared_variable: Some(at("shared")),
            executable_dir: Some(at("repo/target/debug")),
            current_dir: Some(at("repo/data")),
            system: vec![at("usr/lib")],
        };
        fs::create_dir_all(at("repo/data")).unwrap();
        for path in ["flag.so", "named/own.so"] {
            touch(&at(path));
        }
        for folder in ["shared", "repo/target/debug", "repo/target/lib", "repo/vendor/onnxruntime", "usr/lib"] {
            touch(&at(folder).join(FILE));
        }
        assert_eq!(here.find(Some(&at("flag.so"))).unwrap(), at("flag.so"));
        assert_eq!(here.find(Some(Path::new("../../flag.so"))).unwrap(), at("repo/data/../../flag.so"));
        assert_eq!(here.find(None).unwrap(), at("named/own.so"));
        here.variable = None;
        assert_eq!(here.find(None).unwrap(), at("shared").join(FILE));
        here.shared_variable = None;
        for folder in ["repo/target/debug", "repo/target/lib", "repo/vendor/onnxruntime", "usr/lib"] {
            assert_eq!(here.find(None).unwrap(), at(folder).join(FILE));
            fs::remove_file(at(folder).join(FILE)).unwrap();
        }
        let error = here.find(None).unwrap_err();
        let LibraryError::NotFound { looked, .. } = &error else { panic!("{error:?}") };
        assert_eq!(looked.first(), Some(&at("repo/target/debug").join(FILE)));
        assert_eq!(looked.last(), Some(&at("usr/lib").join(FILE)));
        let vendor = at("repo/vendor/onnxruntime").join(FILE);
        assert_eq!(looked.iter().filter(|p| **p == vendor).count(), 1);
        let message = error.to_string();
        assert!(message.contains("scripts/fetch_onnxruntime") && message.contains(&vendor.display().to_string()));
    }

    #[test]
    fn a_named_library_that_is_missing_is_not_replaced_by_another() {
        let root = tempfile::tempdir().unwrap();
        let file = format!("{}onnxruntime{}", env::consts::DLL_PREFIX, env::consts::DLL_SUFFIX);
        touch(&root.path().join("bin").join(file));
        let here = Surroundings {
            variable: Some(root.path().join("gone.so")),
            executable_dir: Some(root.path().join("bin")),
            ..Surroundings::default()
        };
        let error = here.find(None).unwrap_err();
        assert!(matches!(&error, LibraryError::NamedButMissing { named_by, .. } if named_by == VARIABLE));
        assert!(here.find(Some(Path::new("/nowhere/x.so"))).unwrap_err().to_string().contains("/nowhere/x.so"));
    }
}
