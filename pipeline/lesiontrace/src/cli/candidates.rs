//! Arguments of `candidates`.

use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct Candidates {
    /// FDG-PET: NIfTI in SUVbw, or a folder with one DICOM series.
    pub(crate) pet: PathBuf,
    /// Uptake from which a voxel counts: an SUVbw, or `liver` or `blood-pool` (PERCIST, with the mask of that organ).
    #[arg(long, default_value = "4.0")]
    pub(crate) cut_off: CutOff,
    /// Mask of the liver (NIfTI), for the cut-off `liver`.
    #[arg(long, value_name = "MASK")]
    pub(crate) liver: Option<PathBuf>,
    /// Mask of the descending aorta (NIfTI), for the cut-off `blood-pool`.
    #[arg(long, value_name = "MASK")]
    pub(crate) aorta: Option<PathBuf>,
    /// Mask of lesions in the liver or aorta (NIfTI), taken out of --liver or --aorta before the reference is measured.
    #[arg(long, value_name = "MASK")]
    pub(crate) lesions: Option<PathBuf>,
    /// Outline each candidate at this percentage of its own SUVmax (41 and 50 are usual) instead of at the cut-off, above it
    /// or below. An outline that runs into another candidate, or is more than 10 times as large as the part above the cut-off
    /// it grew from, has no volume, with the reason.
    #[arg(long, value_name = "PERCENT")]
    pub(crate) percent_of_max: Option<f64>,
    /// Least volume of a candidate above the cut-off, ml.
    #[arg(long, default_value_t = 0.5)]
    pub(crate) least_ml: f64,
    /// Label map of organs with uptake of their own (NIfTI): brain, heart, kidneys, bladder. They and one voxel round them
    /// are taken out before candidates are looked for, and stand in rows of their own.
    #[arg(long, value_name = "LABELS")]
    pub(crate) organs: Option<PathBuf>,
    /// Which labels of --organs have such uptake, and their names; all of them when not given.
    #[arg(long, value_name = "LABEL=NAME", value_delimiter = ',', requires = "organs")]
    pub(crate) organ: Vec<Organ>,
    /// Write the outlines as a label map (NIfTI).
    #[arg(long)]
    pub(crate) out: Option<PathBuf>,
    /// One JSON document on stdout.
    #[arg(long)]
    pub(crate) json: bool,
}

/// `--cut-off`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum CutOff {
    /// An SUVbw.
    Suv(f64),
    /// 1.5 × mean + 2 SD of the liver.
    Liver,
    /// 2 × mean + 2 SD of the blood pool.
    BloodPool,
}

impl FromStr for CutOff {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "liver" => Ok(Self::Liver),
            "blood-pool" => Ok(Self::BloodPool),
            _ => match text.parse::<f64>() {
                Ok(suv) if suv.is_finite() && suv > 0.0 => Ok(Self::Suv(suv)),
                _ => Err(format!("expected an SUV above 0, `liver` or `blood-pool`, found {text}")),
            },
        }
    }
}

/// One entry of `--organ`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Organ {
    /// The label.
    pub(crate) label: u16,
    /// Its name.
    pub(crate) name: String,
}

impl FromStr for Organ {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let entry = text.split_once('=').and_then(|(label, name)| Some((label.parse::<u16>().ok()?, name)));
        match entry {
            Some((label, name)) if label > 0 && !name.is_empty() => Ok(Self { label, name: name.to_owned() }),
            _ => Err(format!("expected LABEL=NAME such as 2=bladder, found {text}")),
        }
    }
}
