//! What was made of a patient's results to leave the house (`report.pdf`, DICOM objects), and of which results: `exported.json`. By it
//! an object that tells of results that are no more is noticed before it goes out.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use crate::artifacts::RESULT;
use crate::{out, source_record};

/// Name of the file in a patient's folder.
pub(crate) const FILE: &str = "exported.json";
/// The printed page.
pub(crate) const PDF: &str = "report.pdf";
/// The page.
const PAGE: &str = "report.html";
/// Version of the file's shape.
const SCHEMA_VERSION: u32 = 1;

/// Everything of one patient that was made to leave the house.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Exported {
    schema_version: u32,
    /// The printed page.
    #[serde(default)]
    pdf: Option<Printed>,
    /// Objects, by their name in the folder `dicom`.
    #[serde(default)]
    pub(crate) objects: BTreeMap<String, Object>,
}

/// A printed page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Printed {
    /// Its digest.
    sha256: String,
    /// Digest of the page it was printed of.
    of: String,
}

/// One object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Object {
    /// Digest of what it was made of.
    pub(crate) of: String,
    /// Its SOP Instance UID.
    pub(crate) sop_instance_uid: String,
    /// What it would have were there none before it: the same content has the same one.
    pub(crate) content_uid: String,
    /// SOP Instance UID of the object whose place it took; empty where it is the first.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) predecessor: String,
}

impl Object {
    /// What an object with this content names as its predecessor, `earlier` having stood in its place: the same content says what it
    /// said before.
    pub(crate) fn predecessor(earlier: Option<&Self>, content_uid: &str) -> Option<String> {
        let earlier = earlier?;
        let is_same = earlier.content_uid == content_uid;
        let uid = if is_same { &earlier.predecessor } else { &earlier.sop_instance_uid };
        (!uid.is_empty()).then(|| uid.clone())
    }
}

impl Exported {
    /// Reads it from a patient's folder; nothing where there is none.
    pub(crate) fn read(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join(FILE);
        match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .with_context(|| format!("{} is no list of this version; remove it and export again", path.display())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error).with_context(|| format!("reading {}", path.display())),
        }
    }

    /// Writes it.
    pub(crate) fn write(&self, folder: &Path) -> anyhow::Result<()> {
        out::write_json(&folder.join(FILE), &Self { schema_version: SCHEMA_VERSION, ..self.clone() })
    }

    /// Notes that the page was printed.
    pub(crate) fn printed(&mut self, folder: &Path) -> anyhow::Result<()> {
        self.pdf = Some(Printed { sha256: digest(folder, &[PDF])?, of: digest(folder, &[PAGE])? });
        Ok(())
    }

    /// Whether it is listed that the printed page was printed of the page as it is.
    pub(crate) fn is_printed(&self, folder: &Path) -> anyhow::Result<bool> {
        let Some(printed) = &self.pdf else { return Ok(false) };
        Ok(printed.sha256 == digest(folder, &[PDF])? && printed.of == digest(folder, &[PAGE])?)
    }

    /// Whether the printed page says what the page says. One that was printed before this was listed is believed where it is the
    /// younger file.
    pub(crate) fn pdf_is_of_the_page(&self, folder: &Path) -> anyhow::Result<bool> {
        let now = digest(folder, &[PDF])?;
        match self.pdf.as_ref().filter(|printed| printed.sha256 == now) {
            Some(printed) => Ok(printed.of == digest(folder, &[PAGE])?),
            None => is_younger(&folder.join(PDF), &folder.join(PAGE)),
        }
    }

    /// Why an object of the patient must not go out; `None` where it tells of the present results.
    pub(crate) fn is_older(&self, folder: &Path, name: &str) -> anyhow::Result<Option<&'static str>> {
        let is_document = name.ends_with("_doc.dcm");
        let is_present = match self.objects.get(name) {
            Some(object) => object.of == basis(folder, is_document)?,
            None => is_younger(&folder.join("dicom").join(name), &folder.join(RESULT))?,
        };
        Ok((!is_present).then_some("it tells of results that have changed since; `lesiontrace export` makes it anew"))
    }
}

/// Digest of what objects are made of: of documents the page, of all others the results.
pub(crate) fn basis(folder: &Path, is_document: bool) -> anyhow::Result<String> {
    if is_document { digest(folder, &[PAGE]) } else { digest(folder, &[RESULT, source_record::FILE]) }
}

fn digest(folder: &Path, names: &[&str]) -> anyhow::Result<String> {
    let mut digests = String::new();
    for name in names {
        let path = folder.join(name);
        let bytes = std::fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
        digests.push_str(&out::sha256_hex(&bytes));
    }
    Ok(if names.len() == 1 { digests } else { out::sha256_hex(digests.as_bytes()) })
}

fn is_younger(made: &Path, of: &Path) -> anyhow::Result<bool> {
    let time = |path: &Path| {
        let found = std::fs::metadata(path).and_then(|metadata| metadata.modified());
        found.with_context(|| format!("looking at {}", path.display()))
    };
    Ok(time(made)? >= time(of)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_made_of_other_results_is_older_and_what_came_back_to_them_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| out::write_atomic(&folder.path().join(name), text.as_bytes()).unwrap();
        for (name, text) in
            [(RESULT, "{}"), (source_record::FILE, "[]"), (PAGE, "<p>"), ("dicom/a_sr.dcm", "DICM"), (PDF, "%PDF-")]
        {
            write(name, text);
        }
        let mut exported = Exported::default();
        exported.printed(folder.path()).unwrap();
        let object = |folder: &Path| Object {
            of: basis(folder, false).unwrap(),
            sop_instance_uid: "2.25.1".to_owned(),
            content_uid: "2.25.1".to_owned(),
            predecessor: String::new(),
        };
        exported.objects.insert("a_sr.dcm".to_owned(), object(folder.path()));
        exported.write(folder.path()).unwrap();
        let exported = Exported::read(folder.path()).unwrap();
        let is_older = || exported.is_older(folder.path(), "a_sr.dcm").unwrap();
        assert_eq!(is_older(), None);
        write(RESULT, "{\"a\": 1}");
        assert!(is_older().unwrap().contains("export"));
        write(RESULT, "{}");
        assert_eq!(is_older(), None);
        assert!(exported.pdf_is_of_the_page(folder.path()).unwrap());
        write(PAGE, "<q>");
        assert!(!exported.pdf_is_of_the_page(folder.path()).unwrap());
    }

    #[test]
    fn a_new_content_names_the_one_before_and_the_same_says_the_same_again() {
        let object = |content: &str, sop: &str, predecessor: &str| Object {
            of: String::new(),
            sop_instance_uid: sop.to_owned(),
            content_uid: content.to_owned(),
            predecessor: predecessor.to_owned(),
        };
        assert_eq!(Object::predecessor(None, "a"), None);
        let first = object("a", "a", "");
        assert_eq!(Object::predecessor(Some(&first), "a"), None);
        assert_eq!(Object::predecessor(Some(&first), "b").as_deref(), Some("a"));
        let second = object("b", "b'", "a");
        assert_eq!(Object::predecessor(Some(&second), "b").as_deref(), Some("a"));
        assert_eq!(Object::predecessor(Some(&second), "a").as_deref(), Some("b'"));
    }
}
