//! Volumes, masks, geometry, morphology, distance, measurement and registration. Knows no patient, no file and no model.
//!
//! Inside this crate, and everywhere in the program, patient space is DICOM LPS in mm; arrays are stored in memory order
//! k, j, i (i fastest), and an index is written [`Index3`] `{i, j, k}`: column, row, slice.
#![warn(clippy::disallowed_methods)]

pub mod agreement;
pub mod aorta;
mod band;
pub mod chord_band;
pub mod closest;
pub mod components;
pub mod contour;
pub mod diameter;
pub mod distance;
pub mod dose;
pub mod gap;
pub mod grid;
mod hull;
pub mod inside_chord;
pub mod inside_perpendicular;
pub mod intensity;
pub mod kidneys;
pub mod lesion_diameters;
mod level_set;
pub mod margin;
pub mod mask;
pub mod morphology;
pub mod note;
pub mod portal_vein;
pub mod registration;
pub mod resample;
pub mod second_look;
pub mod smooth_diameter;
pub mod space;
pub mod surface;
mod tetrahedra;
pub mod trunk;
pub mod united;
pub mod units;
pub mod volume;
pub mod window;

pub use aorta::{Aorta, AortaError, find_aorta};
pub use closest::TriangleTree;
pub use components::{Component, Components, Connectivity, components};
pub use contour::{Contour, contours};
pub use diameter::{Chord, ChordInSlice, PlanarDiameters, planar_diameters, planar_diameters_across_pieces};
pub use distance::DistanceError;
pub use grid::{Aligned, FrameId, Grid, GridError, InFrame, Index3, Shape};
pub use inside_chord::longest_inside_chord;
pub use inside_perpendicular::widest_inside_perpendicular;
pub use kidneys::{Kidneys, KidneysError, find_kidneys};
pub use lesion_diameters::{LesionDiameters, Pieces, lesion_diameters};
pub use margin::distribution::MarginDistribution;
pub use margin::{AblationMargin, MarginInput, ablation_margin};
pub use mask::{LabelMap, Mask};
pub use note::{Note, Noted, Severity};
pub use portal_vein::{Hilum, PortalVein, PortalVeinError, find_portal_vein};
pub use registration::Registration;
pub use resample::Interpolation;
pub use smooth_diameter::{smooth_planar_diameters, smooth_planar_diameters_across_pieces};
pub use space::{Affine, Patient, Point, Vector, Voxel};
pub use surface::{Refinement, Surface, SurfaceError};
pub use trunk::{Trunk, TrunkError};
pub use united::united;
pub use units::{BqPerMl, Hu, Intensity, Mm, Mm2, Mm3, SuvBw};
pub use volume::Volume;
pub use window::Window;
