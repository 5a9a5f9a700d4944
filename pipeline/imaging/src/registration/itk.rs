//! Affine maps as ITK transform text files (`.tfm`), as read by 3D Slicer, elastix tools and SimpleITK.
//!
//! ITK stores the map that resampling needs: from a point of the FIXED image to the point of the moving image, in LPS mm. Here
//! maps are named moving→fixed, so writing and reading invert. Parameters are the linear part row by row, then the translation,
//! about a centre: y = A (x − c) + c + t (ITK Software Guide, book 2, section 3.9).

use std::fmt::Write as _;

use nalgebra::{Matrix3, Rotation3, Vector3};
use thiserror::Error;

use crate::{Affine, Patient};

/// Why a transform text cannot be used.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum ItkError {
    /// Not an ITK transform file.
    #[error("the first line must be `#Insight Transform File V1.0`, found `{0}`")]
    Header(String),
    /// A kind of transform that is not one affine map.
    #[error(
        "transform `{0}` is not supported; expected one (or a composite of some) AffineTransform, MatrixOffsetTransformBase, VersorRigid3DTransform, Euler3DTransform or TranslationTransform of dimension 3 in double or float"
    )]
    Kind(String),
    /// A line is missing or holds the wrong count of numbers.
    #[error("`{field}` needs {expected} finite numbers, found `{found}`")]
    Numbers {
        /// Name of the line.
        field: &'static str,
        /// How many.
        expected: String,
        /// What stands there.
        found: String,
    },
    /// The map cannot be inverted.
    #[error("the linear part of the transform is singular, so it cannot be turned round")]
    Singular,
}

/// Writes a map moving→fixed as ITK text, in full digits.
pub fn write_itk_transform(moving_to_fixed: &Affine<Patient, Patient>) -> Result<String, ItkError> {
    let fixed_to_moving = moving_to_fixed.inverse().ok_or(ItkError::Singular)?;
    let (linear, shift) = (fixed_to_moving.linear(), fixed_to_moving.translation());
    let mut text =
        String::from("#Insight Transform File V1.0\n#Transform 0\nTransform: AffineTransform_double_3_3\nParameters:");
    for row in 0..3 {
        for column in 0..3 {
            write!(text, " {}", linear[(row, column)]).expect("writing to a string cannot fail");
        }
    }
    for v in shift.iter() {
        write!(text, " {v}").expect("writing to a string cannot fail");
    }
    text.push_str("\nFixedParameters: 0 0 0\n");
    Ok(text)
}

/// Reads an affine, rigid or translation transform, or a composite of them, from ITK text as a map moving→fixed. Of a composite the
/// last transform is the first that a point of the fixed image goes through (itk::CompositeTransform).
pub fn read_itk_transform(text: &str) -> Result<Affine<Patient, Patient>, ItkError> {
    let first = text.lines().next().unwrap_or("").trim();
    if !first.starts_with("#Insight Transform File V1") {
        return Err(ItkError::Header(first.chars().take(60).collect()));
    }
    let starts: Vec<usize> = text.match_indices("Transform:").map(|(at, _)| at).collect();
    let ends = starts.iter().skip(1).copied().chain([text.len()]);
    let blocks: Vec<&str> = starts.iter().zip(ends).map(|(start, end)| &text[*start..end]).collect();
    let parts = match blocks.as_slice() {
        [composite, parts @ ..] if kind(composite).starts_with("CompositeTransform_") && !parts.is_empty() => parts,
        [one] => std::slice::from_ref(one),
        _ => return Err(ItkError::Kind(blocks.iter().map(|block| kind(block)).collect::<Vec<_>>().join(", "))),
    };
    let mut moving_to_fixed = Affine::identity();
    for part in parts {
        moving_to_fixed = moving_to_fixed.then(&read_one(part)?);
    }
    Ok(moving_to_fixed)
}

/// The kind a block names.
fn kind(block: &str) -> &str {
    field(block, "Transform:").next().unwrap_or("")
}

/// One transform of a file.
fn read_one(text: &str) -> Result<Affine<Patient, Patient>, ItkError> {
    let kind = kind(text);
    let parameters = || field(text, "Parameters:").next().unwrap_or("");
    let fixed = || field(text, "FixedParameters:").next().unwrap_or("");
    let name = kind.strip_suffix("_double_3_3").or_else(|| kind.strip_suffix("_float_3_3"));
    let (linear, shift, center) = match name {
        Some("AffineTransform" | "MatrixOffsetTransformBase") => {
            let p: [f64; 12] = numbers("Parameters", parameters())?;
            let linear = Matrix3::from_row_slice(&p[..9]);
            (linear, Vector3::new(p[9], p[10], p[11]), numbers::<3>("FixedParameters", fixed())?)
        }
        Some("VersorRigid3DTransform") => {
            let p: [f64; 6] = numbers("Parameters", parameters())?;
            let linear = versor(Vector3::new(p[0], p[1], p[2]), parameters())?;
            (linear, Vector3::new(p[3], p[4], p[5]), numbers::<3>("FixedParameters", fixed())?)
        }
        Some("Euler3DTransform") => {
            let p: [f64; 6] = numbers("Parameters", parameters())?;
            let (center, zyx) = euler_center(fixed())?;
            (euler([p[0], p[1], p[2]], zyx), Vector3::new(p[3], p[4], p[5]), center)
        }
        Some("TranslationTransform") => {
            let p: [f64; 3] = numbers("Parameters", parameters())?;
            (Matrix3::identity(), Vector3::from(p), [0.0; 3])
        }
        _ => return Err(ItkError::Kind(kind.chars().take(80).collect())),
    };
    super::motion::about(linear, Vector3::from(center), shift).inverse().ok_or(ItkError::Singular)
}

fn field<'a>(text: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    text.lines().filter_map(move |line| line.trim().strip_prefix(name)).map(str::trim)
}

fn numbers<const N: usize>(field: &'static str, text: &str) -> Result<[f64; N], ItkError> {
    let wrong = || ItkError::Numbers { field, expected: N.to_string(), found: text.chars().take(120).collect() };
    let values: Vec<f64> = text.split_whitespace().map(str::parse).collect::<Result<_, _>>().map_err(|_| wrong())?;
    if values.iter().any(|v| !v.is_finite()) {
        return Err(wrong());
    }
    values.try_into().map_err(|_| wrong())
}

/// A rotation from the vector part of a unit quaternion.
fn versor(v: Vector3<f64>, text: &str) -> Result<Matrix3<f64>, ItkError> {
    let squared = 1.0 - v.norm_squared();
    if squared < -1e-9 {
        let expected = "6, the first three of length at most 1,".to_owned();
        return Err(ItkError::Numbers { field: "Parameters", expected, found: text.chars().take(120).collect() });
    }
    let w = squared.max(0.0).sqrt();
    let q = nalgebra::UnitQuaternion::from_quaternion(nalgebra::Quaternion::new(w, v.x, v.y, v.z));
    Ok(*q.to_rotation_matrix().matrix())
}

/// Centre, and whether the order is Z·Y·X: ITK writes a fourth number for that since 4.9, older files three.
fn euler_center(text: &str) -> Result<([f64; 3], bool), ItkError> {
    if text.split_whitespace().count() == 4 {
        let [x, y, z, zyx] = numbers::<4>("FixedParameters", text)?;
        return Ok(([x, y, z], zyx != 0.0));
    }
    Ok((numbers("FixedParameters", text)?, false))
}

/// ITK's Euler angles: Z·X·Y by default, Z·Y·X when said so.
fn euler([x, y, z]: [f64; 3], zyx: bool) -> Matrix3<f64> {
    let turn = |axis, angle| *Rotation3::from_axis_angle(&axis, angle).matrix();
    let (x, y, z) = (turn(Vector3::x_axis(), x), turn(Vector3::y_axis(), y), turn(Vector3::z_axis(), z));
    if zyx { z * y * x } else { z * x * y }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Point;

    /// Text written by, and points carried by, SimpleITK 2.5.7 (ITK 5.4): (10, −20, 30) of the fixed image goes to these.
    const CASES: [(&str, [f64; 3]); 4] = [
        (
            "AffineTransform_double_3_3\nParameters: 1.01 0.02 -0.03 0.04 0.98 0.05 -0.06 0.07 1.03 5 -7 11\nFixedParameters: 100 -50 20",
            [14.4, -30.7, 48.8],
        ),
        (
            "VersorRigid3DTransform_double_3_3\nParameters: 0.03993902087396752 0.07987804174793504 0.11981706262190256 5 -7 11\nFixedParameters: 100 -50 20",
            [13.491_039_157_719, -50.454_612_610_139, 57.139_395_354_186],
        ),
        (
            "Euler3DTransform_double_3_3\nParameters: 0.1 0.2 0.3 5 -7 11\nFixedParameters: 100 -50 20 0",
            [14.626_906_787_228, -56.602_684_077_425, 61.537_618_820_291],
        ),
        (
            "Euler3DTransform_double_3_3\nParameters: 0.1 0.2 0.3 5 -7 11\nFixedParameters: 100 -50 20 1",
            [14.664_228_489_338, -54.743_470_546_066, 61.567_244_893_791],
        ),
    ];

    /// A composite written by SimpleITK 2.5.7: (10, −20, 30) goes through the affine one first.
    const COMPOSITE: &str = "#Insight Transform File V1.0
#Transform 0
Transform: CompositeTransform_double_3_3
#Transform 1
Transform: Euler3DTransform_double_3_3
Parameters: 0.1 0.2 0.3 5 -7 11
FixedParameters: 100 -50 20 0
#Transform 2
Transform: AffineTransform_double_3_3
Parameters: 1.01 0.02 -0.03 0.04 0.98 0.05 -0.06 0.07 1.03 5 -7 11
FixedParameters: 100 -50 20
";

    #[test]
    fn a_composite_of_simpleitk_carries_a_point_as_there() {
        let moving_to_fixed = read_itk_transform(COMPOSITE).unwrap();
        let back = moving_to_fixed.apply(Point::new(25.978_839_230_707, -66.069_511_931_61, 77.932_825_442_286));
        assert!(back.distance(Point::new(10.0, -20.0, 30.0)) < 1e-9, "{back:?}");
    }

    #[test]
    fn transforms_of_simpleitk_carry_a_point_as_there() {
        for (body, want) in CASES {
            let text = format!("#Insight Transform File V1.0\n#Transform 0\nTransform: {body}\n");
            let moving_to_fixed = read_itk_transform(&text).unwrap();
            let back = moving_to_fixed.apply(Point::from(want));
            assert!(back.distance(Point::new(10.0, -20.0, 30.0)) < 1e-9, "{body}: {back:?}");
        }
    }

    #[test]
    fn writing_and_reading_keeps_the_map() {
        let linear = Matrix3::new(1.01, 0.02, -0.03, 0.04, 0.98, 0.05, -0.06, 0.07, 1.03);
        let map = Affine::<Patient, Patient>::from_parts(linear, Vector3::new(1.0 / 3.0, -7.0, 11.0));
        let back = read_itk_transform(&write_itk_transform(&map).unwrap()).unwrap();
        let p = Point::new(120.0, -80.0, 900.0);
        assert!(map.apply(p).distance(back.apply(p)) < 1e-9);
    }

    #[test]
    fn other_texts_are_refused() {
        assert!(matches!(read_itk_transform("hello"), Err(ItkError::Header(_))));
        let empty = "#Insight Transform File V1.0\nTransform: CompositeTransform_double_3_3\n";
        assert!(matches!(read_itk_transform(empty), Err(ItkError::Kind(_))));
        let two = format!("#Insight Transform File V1.0\nTransform: {}\nTransform: {}\n", CASES[0].0, CASES[1].0);
        assert!(matches!(read_itk_transform(&two), Err(ItkError::Kind(_))));
        let bent = format!("{COMPOSITE}\nTransform: BSplineTransform_double_3_3\nParameters: 0\nFixedParameters: 0\n");
        assert!(matches!(read_itk_transform(&bent), Err(ItkError::Kind(_))));
        let short = "#Insight Transform File V1.0\nTransform: AffineTransform_double_3_3\nParameters: 1 0 0\nFixedParameters: 0 0 0\n";
        assert!(matches!(read_itk_transform(short), Err(ItkError::Numbers { .. })));
    }
}
