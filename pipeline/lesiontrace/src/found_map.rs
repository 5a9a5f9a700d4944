//! A map between two images with the evidence for it: found here, or made elsewhere and judged by the images.

use std::path::Path;

use anyhow::Context as _;
use imaging::registration::deformable::DeformableRegistration;
use imaging::registration::{Pair, Quality, Registration, TransformKind, warp_image};
use imaging::{Grid, GridError, Interpolation, Volume};

use crate::transform_file::{self, FixedToMoving, TransformFile};

/// A matrix, or a matrix and the bending that was found from it.
pub(crate) struct FoundMap {
    /// The map, or the evidence for the bent one.
    pub(crate) registration: Registration,
    pub(crate) bent: Option<DeformableRegistration>,
}

impl FoundMap {
    /// The map of a file, with the same evidence as one found here.
    pub(crate) fn judged(pair: &Pair<'_>, file: &TransformFile) -> anyhow::Result<Self> {
        match &file.map {
            FixedToMoving::Field(field) => {
                let bent = pair.judge_deformation(field)?;
                Ok(Self { registration: bent.evidence.clone(), bent: Some(bent) })
            }
            FixedToMoving::Affine(map) => {
                let moving_to_fixed = map.inverse().context("the map cannot be turned round")?;
                let mut registration = pair.judge(&moving_to_fixed)?;
                // What a bend would still move is left to the stated error; between two modalities nothing tells it.
                if let Err(error) = pair.tell_local_motion(&mut registration) {
                    registration.quality = registration.quality.max(Quality::Review);
                    registration.reasons.push(format!("what a bend would still move was not looked for: {error}"));
                }
                Ok(Self { registration, bent: None })
            }
            FixedToMoving::Chain(_) => anyhow::bail!("a file holds one map"),
        }
    }

    pub(crate) fn warp(&self, moving: &Volume<f32>, like: &Grid, outside: f32) -> Result<Volume<f32>, GridError> {
        match &self.bent {
            None => warp_image(&self.registration, moving, like, Interpolation::Linear, outside),
            Some(bent) => Ok(bent.warp_image(moving, like, Interpolation::Linear, outside)),
        }
    }

    /// Writes the map; returns how far the written field of a bent one lies from it, mm.
    pub(crate) fn write(&self, folder: &Path, fixed: &Grid) -> anyhow::Result<Option<f64>> {
        match &self.bent {
            None => transform_file::write_matrix(folder, &self.registration, family(&self.registration)).map(|()| None),
            Some(bent) => transform_file::write_field(folder, &self.registration, &bent.deformation, fixed).map(Some),
        }
    }

    /// The whole map with its evidence.
    pub(crate) fn carried(&self) -> Registration {
        let bend = self.bent.as_ref().map(|bent| Box::new(bent.deformation.clone()));
        Registration { bend, ..self.registration.clone() }
    }
}

/// The family of a map in words.
pub(crate) fn family(registration: &Registration) -> &'static str {
    match registration.transform {
        Some(TransformKind::Rigid) => "rigid",
        Some(TransformKind::Affine) => "affine",
        Some(TransformKind::Deformable) => "deformable",
        None => "identity",
    }
}
