//! NiiVue, the library that draws the viewer of a page. It is put into the page as it is and is no part of the program.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use inference::Surroundings;

use crate::manifest::Part;
use crate::out;

/// The only version that is used.
pub(crate) const VERSION: &str = "0.69.0";
/// SHA-256 of its file; the same stands in `scripts/fetch_niivue`.
const SHA256: &str = "47b896b77ec4a5be3ef1949c33ad393b6f45629921f326c279000bcf51bdb4af";
/// Name of its file.
const FILE: &str = "niivue.umd.js";
/// The variable that names the file or its folder.
const VARIABLE: &str = "LESIONTRACE_NIIVUE";
/// The command that fetches it.
const FETCH_COMMAND: &str = "scripts/fetch_niivue";

/// The library as text, its digest checked.
pub(crate) struct Niivue {
    /// What goes into the page.
    pub(crate) code: String,
}

impl Niivue {
    /// Finds, reads and checks it.
    pub(crate) fn find() -> anyhow::Result<Self> {
        let named = std::env::var_os(VARIABLE).filter(|value| !value.is_empty()).map(PathBuf::from);
        Self::at(&place(named, &Surroundings::of_this_process())?)
    }

    fn at(path: &Path) -> anyhow::Result<Self> {
        let bytes = std::fs::read(path).with_context(|| format!("--viewer: reading {}", path.display()))?;
        let found = out::sha256_hex(&bytes);
        ensure!(
            found == SHA256,
            "--viewer: expected {} to be NiiVue {VERSION} (SHA-256 {SHA256}), found SHA-256 {found}; run {FETCH_COMMAND}",
            path.display()
        );
        let code = String::from_utf8(bytes).with_context(|| format!("--viewer: {}", path.display()))?;
        Ok(Self { code })
    }

    /// As a page and the manifest name it.
    pub(crate) fn part() -> Part {
        Part { what: "viewer NiiVue".to_owned(), version: VERSION.to_owned(), sha256: Some(SHA256.to_owned()) }
    }
}

/// Where it is: what the variable names, else beside the executable and in `../lib`, else in `vendor/niivue` of a folder above the
/// executable or the current folder.
fn place(named: Option<PathBuf>, around: &Surroundings) -> anyhow::Result<PathBuf> {
    if let Some(path) = named {
        let path = if path.is_dir() { path.join(FILE) } else { path };
        ensure!(
            path.is_file(),
            "--viewer: {VARIABLE} says that NiiVue is at {}, but no file is there; correct it, or leave it out and run {FETCH_COMMAND}",
            path.display()
        );
        return Ok(path);
    }
    let looked: Vec<PathBuf> = around.folders("niivue").into_iter().map(|folder| folder.join(FILE)).collect();
    if let Some(path) = looked.iter().find(|path| path.is_file()) {
        return Ok(path.clone());
    }
    let places: Vec<String> = looked.iter().map(|path| format!("  {}", path.display())).collect();
    bail!(
        "--viewer needs NiiVue {VERSION} ({FILE}), which was not found; run {FETCH_COMMAND}, or name it in {VARIABLE}. Looked in:\n{}",
        places.join("\n")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_or_another_file_is_said_with_what_to_do() {
        let root = tempfile::tempdir().unwrap();
        let around = Surroundings { executable_dir: Some(root.path().join("target/debug")), ..Surroundings::default() };
        let said = format!("{:#}", place(None, &around).unwrap_err());
        for told in ["scripts/fetch_niivue", "LESIONTRACE_NIIVUE", "vendor/niivue/niivue.umd.js", "0.69.0"] {
            assert!(said.contains(told), "{told}: {said}");
        }
        let said = format!("{:#}", place(Some(root.path().join("gone.js")), &around).unwrap_err());
        assert!(said.contains("gone.js") && said.contains("LESIONTRACE_NIIVUE"), "{said}");
        let file = root.path().join("vendor/niivue/niivue.umd.js");
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, "something else").unwrap();
        assert_eq!(place(None, &around).unwrap(), file);
        assert_eq!(place(Some(root.path().join("vendor/niivue")), &Surroundings::default()).unwrap(), file);
        let said = format!("{:#}", Niivue::at(&file).err().unwrap());
        assert!(said.contains(SHA256) && said.contains("scripts/fetch_niivue"), "{said}");
    }
}
