//! The table from target, non-target and new-lesion response to the overall response of a visit.
//!
//! Source: Eisenhauer et al. 2009 (RECIST 1.1) Tables 1 and 2.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::response::{NewLesionResponse, NonTargetResponse, OverallResponse, TargetResponse};
use super::table::TableError;

/// A total function from the three partial responses to the overall one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResponseMatrix {
    cells: BTreeMap<(NewLesionResponse, TargetResponse, NonTargetResponse), OverallResponse>,
    source: String,
}

/// The `[overall]` section of a criterion file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MatrixFile {
    source: String,
    non_target_order: Vec<NonTargetResponse>,
    #[serde(rename = "N")]
    no: BTreeMap<TargetResponse, Vec<OverallResponse>>,
    #[serde(rename = "E")]
    equivocal: BTreeMap<TargetResponse, Vec<OverallResponse>>,
    #[serde(rename = "Y")]
    yes: BTreeMap<TargetResponse, Vec<OverallResponse>>,
}

impl ResponseMatrix {
    pub(super) fn checked(file: MatrixFile) -> Result<Self, TableError> {
        if file.source.trim().is_empty() {
            return Err(TableError::MissingSource("overall".to_owned()));
        }
        let order = file.non_target_order;
        let mut seen = order.clone();
        seen.sort_unstable();
        seen.dedup();
        if seen.len() != NonTargetResponse::ALL.len() || order.len() != seen.len() {
            return Err(TableError::Gap("overall.non_target_order".to_owned()));
        }
        let mut cells = BTreeMap::new();
        let sections = [
            (NewLesionResponse::No, file.no),
            (NewLesionResponse::Equivocal, file.equivocal),
            (NewLesionResponse::Yes, file.yes),
        ];
        for (new_lesion, rows) in sections {
            for target in TargetResponse::ALL {
                let row = rows.get(target).filter(|row| row.len() == order.len());
                let row = row.ok_or_else(|| TableError::Gap(format!("overall.{new_lesion}.{target}")))?;
                for (non_target, overall) in order.iter().zip(row) {
                    cells.insert((new_lesion, *target, *non_target), *overall);
                }
            }
        }
        Ok(Self { cells, source: file.source })
    }

    /// The overall response.
    pub fn overall(
        &self,
        target: TargetResponse,
        non_target: NonTargetResponse,
        new_lesion: NewLesionResponse,
    ) -> OverallResponse {
        self.cells[&(new_lesion, target, non_target)]
    }

    /// Where the table was taken from.
    pub fn source(&self) -> &str {
        &self.source
    }
}
