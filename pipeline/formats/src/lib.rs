//! DICOM, NIfTI, NRRD, archives, clinical tables and result tables: where files become values and values become files.
//!
//! Inside the program patient space is DICOM LPS in mm; whatever another format says is converted here, once, at the door.

#![expect(clippy::disallowed_methods, reason = "the ban on files is for pure crates; this one is the door to them")]

pub mod archive;
pub mod atomic;
pub mod clinical;
pub mod deidentify;
pub mod dicom;
pub mod image_file;
pub mod nifti;
pub mod nifti_archive;
pub mod nrrd;
pub mod packed;
mod pages;
pub mod parquet_table;
mod row_cells;
pub mod stored;
pub mod tables;
pub mod workbook;
