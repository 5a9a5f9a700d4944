//! Arguments of `pull` and `push`.

use std::path::PathBuf;

use clap::Args;

/// How to speak with an archive.
#[derive(Debug, Args)]
pub(crate) struct Connection {
    /// At most so many requests (DICOMweb) or operations (DIMSE) a second.
    #[arg(long, value_name = "N")]
    pub(crate) max_requests_per_second: Option<f64>,
    /// How often a request that fails for a passing reason (busy, unreachable) is made again.
    #[arg(long, default_value_t = 4, value_name = "N")]
    pub(crate) retries: u32,
    /// Seconds in which something must happen.
    #[arg(long, default_value_t = 60, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86400))]
    pub(crate) timeout_s: u64,
    /// DICOMweb: file, readable by you alone, with one line `Basic USER:PASSWORD` or `Bearer TOKEN`.
    #[arg(long, value_name = "FILE", conflicts_with = "auth_env")]
    pub(crate) auth_file: Option<PathBuf>,
    /// DICOMweb: environment variable with such a line.
    #[arg(long, value_name = "NAME")]
    pub(crate) auth_env: Option<String>,
    /// DICOMweb: send credentials over http without TLS.
    #[arg(long)]
    pub(crate) plain_credentials: bool,
    /// TLS (https://, dimse-tls://): certificates (PEM) to trust instead of the system's.
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
    /// TLS: our own certificate (PEM, with those between it and its authority), for an archive that demands one.
    #[arg(long, value_name = "FILE", requires = "key_file")]
    pub(crate) cert_file: Option<PathBuf>,
    /// TLS: the key of that certificate (PEM without passphrase), readable by you alone.
    #[arg(long, value_name = "FILE", requires = "cert_file")]
    pub(crate) key_file: Option<PathBuf>,
    /// DIMSE: our own application entity title.
    #[arg(long, default_value = "LESIONTRACE", value_name = "TITLE")]
    pub(crate) calling_ae: String,
}

#[derive(Debug, Args)]
pub(crate) struct Pull {
    /// The archive: https://HOST:PORT/PATH of a DICOMweb service, dimse-tls://AE@HOST:PORT, or AE@HOST:PORT without TLS. No other
    /// address is spoken to.
    pub(crate) from: String,
    /// What to fetch, for example PatientID=P01, StudyDate=20200101-20201231, ModalitiesInStudy=CT, Modality=CT. Several attributes must all
    /// match; several values of one are alternatives; PatientID=@FILE takes a value from each line.
    #[arg(long, required = true, value_name = "KEY=VALUE")]
    pub(crate) query: Vec<String>,
    /// Folder for the files: STUDY_UID/SERIES_UID/INSTANCE_UID.dcm. What is there whole is not fetched again.
    #[arg(long, value_name = "ARCHIVE")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) connection: Connection,
    /// DIMSE: port on which the archive may send, where it offers C-MOVE and no C-GET; over TLS where the address is.
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) receive_port: Option<u16>,
    /// Only search and count.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// One JSON document on stdout.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Push {
    /// Folder of a run: what `export` wrote, patients/ID/dicom/*.dcm, is sent.
    pub(crate) out: PathBuf,
    /// The archive: https://HOST:PORT/PATH of a DICOMweb service, dimse-tls://AE@HOST:PORT, or AE@HOST:PORT without TLS. No other
    /// address is spoken to.
    pub(crate) to: String,
    #[command(flatten)]
    pub(crate) connection: Connection,
    /// Send every DICOM file below the folder.
    #[arg(long)]
    pub(crate) every_file: bool,
    /// Only list the files.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// One JSON document on stdout.
    #[arg(long)]
    pub(crate) json: bool,
}
