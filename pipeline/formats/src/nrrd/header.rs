//! The header of a NRRD file: fields up to a blank line, as far as an image in patient space needs them.

use std::collections::BTreeMap;

/// How samples are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SampleType {
    I8,
    U8,
    I16,
    U16,
    I32,
    U32,
    I64,
    U64,
    F32,
    F64,
}

impl SampleType {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "signed char" | "int8" | "int8_t" => Self::I8,
            "uchar" | "unsigned char" | "uint8" | "uint8_t" => Self::U8,
            "short" | "short int" | "signed short" | "signed short int" | "int16" | "int16_t" => Self::I16,
            "ushort" | "unsigned short" | "unsigned short int" | "uint16" | "uint16_t" => Self::U16,
            "int" | "signed int" | "int32" | "int32_t" => Self::I32,
            "uint" | "unsigned int" | "uint32" | "uint32_t" => Self::U32,
            "longlong" | "long long" | "long long int" | "signed long long" | "int64" | "int64_t" => Self::I64,
            "ulonglong" | "unsigned long long" | "unsigned long long int" | "uint64" | "uint64_t" => Self::U64,
            "float" => Self::F32,
            "double" => Self::F64,
            _ => return None,
        })
    }

    /// The name a header gives it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::I8 => "int8",
            Self::U8 => "uint8",
            Self::I16 => "int16",
            Self::U16 => "uint16",
            Self::I32 => "int32",
            Self::U32 => "uint32",
            Self::I64 => "int64",
            Self::U64 => "uint64",
            Self::F32 => "float",
            Self::F64 => "double",
        }
    }

    /// Bytes of one sample.
    pub(super) fn width(self) -> usize {
        match self {
            Self::I8 | Self::U8 => 1,
            Self::I16 | Self::U16 => 2,
            Self::I32 | Self::U32 | Self::F32 => 4,
            Self::I64 | Self::U64 | Self::F64 => 8,
        }
    }
}

/// How the data are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Raw,
    Gzip,
}

/// A three-dimensional image in patient space.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Header {
    pub(super) sample: SampleType,
    pub(super) sizes: [usize; 3],
    pub(super) encoding: Encoding,
    pub(super) big_endian: bool,
    /// Step along each axis, mm, in the file's space.
    pub(super) directions: [[f64; 3]; 3],
    pub(super) origin: [f64; 3],
    /// Signs that turn the file's space into LPS.
    pub(super) space_to_lps: [f64; 3],
    pub(super) data_file: Option<String>,
}

impl Header {
    /// The header and where the data begin. `Err` is a reason for a message about the file.
    pub(super) fn parse(bytes: &[u8]) -> Result<(Self, usize), String> {
        let (fields, data_at) = fields_of(bytes)?;
        let field = |name: &str| fields.get(name).map(String::as_str);
        let needed = |name: &str| field(name).ok_or_else(|| format!("its header has no field {name:?}"));
        let sample = needed("type")?;
        let sample =
            SampleType::parse(sample).ok_or_else(|| format!("its samples are {sample:?}, expected numbers"))?;
        let dimension = needed("dimension")?;
        if dimension != "3" {
            return Err(format!("it has {dimension} dimensions, expected 3: split it into one file per volume"));
        }
        let sizes: Vec<usize> = needed("sizes")?.split_whitespace().filter_map(|s| s.parse().ok()).collect();
        let sizes: [usize; 3] = sizes.try_into().map_err(|_| "its sizes are not three numbers".to_owned())?;
        let encoding = match needed("encoding")? {
            "raw" => Encoding::Raw,
            "gzip" | "gz" => Encoding::Gzip,
            other => return Err(format!("its encoding is {other}; write it as gzip or raw")),
        };
        let big_endian = match (field("endian"), sample.width()) {
            (Some("big"), _) => true,
            (Some("little"), _) | (None, 1) => false,
            (other, _) => return Err(format!("its endian is {other:?}, expected little or big")),
        };
        let space_to_lps = match field("space").map(str::to_ascii_lowercase).as_deref() {
            Some("left-posterior-superior" | "lps") => [1.0, 1.0, 1.0],
            Some("right-anterior-superior" | "ras") => [-1.0, -1.0, 1.0],
            Some("left-anterior-superior" | "las") => [1.0, -1.0, 1.0],
            other => {
                return Err(format!("its space is {other:?}; a position is never guessed: write it as LPS or RAS"));
            }
        };
        let directions = vectors(needed("space directions")?)
            .and_then(|v| <[[f64; 3]; 3]>::try_from(v).ok())
            .ok_or("its space directions are not three vectors")?;
        let origin = vectors(needed("space origin")?)
            .and_then(|v| <[[f64; 3]; 1]>::try_from(v).ok())
            .ok_or("its space origin is not a point")?[0];
        let skips = ["line skip", "byte skip"].iter().any(|name| field(name).is_some_and(|v| v != "0"));
        if skips {
            return Err("it skips lines or bytes of its data, which is not supported: write it again".to_owned());
        }
        let data_file = field("data file").or(field("datafile")).map(str::to_owned);
        let header = Self { sample, sizes, encoding, big_endian, directions, origin, space_to_lps, data_file };
        Ok((header, data_at))
    }
}

/// Fields by lower-case name, and where the data begin.
fn fields_of(bytes: &[u8]) -> Result<(BTreeMap<String, String>, usize), String> {
    if !bytes.starts_with(b"NRRD000") {
        return Err("it does not begin with NRRD000; name a NRRD file".to_owned());
    }
    let mut fields = BTreeMap::new();
    let mut at = 0;
    loop {
        let end = bytes[at..].iter().position(|b| *b == b'\n').map(|n| at + n);
        let line = String::from_utf8_lossy(&bytes[at..end.unwrap_or(bytes.len())]);
        let line = line.trim();
        at = end.map_or(bytes.len(), |n| n + 1);
        if line.is_empty() || at >= bytes.len() && end.is_none() {
            return Ok((fields, at));
        }
        // `name: value` is a field; `name:=value` is a key of the user's.
        if let Some((name, value)) = line.split_once(": ").filter(|_| !line.starts_with('#')) {
            fields.insert(name.trim().to_ascii_lowercase(), value.trim().to_owned());
        }
        if at >= bytes.len() {
            return Ok((fields, at));
        }
    }
}

/// `(1,0,0) (0,1,0)` as numbers; `None` for `none` and anything that is no vector of three finite numbers.
fn vectors(text: &str) -> Option<Vec<[f64; 3]>> {
    let mut out = Vec::new();
    for part in text.split(')').map(str::trim).filter(|p| !p.is_empty()) {
        let numbers: Option<Vec<f64>> =
            part.strip_prefix('(')?.split(',').map(|n| n.trim().parse().ok().filter(|v: &f64| v.is_finite())).collect();
        out.push(numbers?.try_into().ok()?);
    }
    Some(out)
}
