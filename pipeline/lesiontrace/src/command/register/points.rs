//! Points that a user names, carried by a registration, each with its error.

use std::path::Path;

use anyhow::Context as _;
use imaging::registration::Registration;
use imaging::{Patient, Point};
use serde::{Deserialize, Serialize};

use crate::out;

/// A point of the fixed image, LPS.
#[derive(Debug, Deserialize)]
#[expect(clippy::struct_field_names, reason = "the names of the table's columns")]
struct Given {
    x_mm: f64,
    y_mm: f64,
    z_mm: f64,
}

/// The same point with its place in the moving image. What is not known is empty.
#[derive(Debug, Serialize)]
#[expect(clippy::struct_field_names, reason = "the names of the table's columns")]
struct Carried {
    x_mm: f64,
    y_mm: f64,
    z_mm: f64,
    moving_x_mm: Option<f64>,
    moving_y_mm: Option<f64>,
    moving_z_mm: Option<f64>,
    /// Standard deviation of the place along each axis.
    error_sd_mm: Option<f64>,
    repeats_mm: Option<f64>,
    blocks_mm: Option<f64>,
    round_trip_mm: Option<f64>,
}

/// Reads a table with the columns `x_mm`, `y_mm`, `z_mm` and writes it with the places in the moving image and their errors.
pub(super) fn carry(table: &Path, to: &Path, registration: &Registration) -> anyhow::Result<()> {
    let mut reader = csv::Reader::from_path(table).with_context(|| format!("reading {}", table.display()))?;
    let mut writer = csv::Writer::from_writer(Vec::new());
    for (n, row) in reader.deserialize().enumerate() {
        let line = n + 2;
        let given: Given = row.with_context(|| {
            format!("{}, line {line}: expected the columns x_mm, y_mm and z_mm with numbers (LPS)", table.display())
        })?;
        let p = Point::new(given.x_mm, given.y_mm, given.z_mm);
        anyhow::ensure!(
            p.coords.iter().all(|v| v.is_finite()),
            "{}, line {line}: expected finite numbers",
            table.display()
        );
        writer.serialize(carried(p, registration))?;
    }
    let text = writer.into_inner().context("writing the carried points")?;
    out::write_atomic(to, &text)
}

fn carried(p: Point<Patient>, registration: &Registration) -> Carried {
    let [x_mm, y_mm, z_mm] = p.to_array();
    let there = registration.to_moving(p).map(Point::to_array);
    let error = registration.error_at(p);
    Carried {
        x_mm,
        y_mm,
        z_mm,
        moving_x_mm: there.map(|q| q[0]),
        moving_y_mm: there.map(|q| q[1]),
        moving_z_mm: there.map(|q| q[2]),
        error_sd_mm: error.map(|e| e.sigma().0),
        repeats_mm: error.map(|e| e.repeats_mm),
        blocks_mm: error.map(|e| e.blocks_mm),
        round_trip_mm: error.map(|e| e.round_trip_mm),
    }
}
