//! Points, vectors and affine maps that know which space they live in, so that voxel and patient coordinates never mix.
//!
//! ```compile_fail
//! use lesiontrace_imaging::{Point, Patient, Voxel};
//! let p: Point<Patient> = Point::<Voxel>::new(0.0, 0.0, 0.0);
//! ```

use std::fmt;
use std::marker::PhantomData;
use std::ops::{Add, Mul, Neg, Sub};

use nalgebra::{Matrix3, Matrix4, Vector3};
use serde::{Deserialize, Serialize};

/// Tag: continuous voxel coordinates (i, j, k) of one grid; the centre of the first voxel is (0, 0, 0).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Voxel;

/// Tag: DICOM patient coordinates LPS (x to the left, y to posterior, z to the head), in mm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patient;

/// A position in space `S`.
#[derive(Serialize, Deserialize)]
#[serde(from = "[f64; 3]", into = "[f64; 3]", bound = "")]
pub struct Point<S> {
    /// The three coordinates, in the unit of the space.
    pub coords: Vector3<f64>,
    space: PhantomData<S>,
}

/// A displacement in space `S`.
#[derive(Serialize, Deserialize)]
#[serde(from = "[f64; 3]", into = "[f64; 3]", bound = "")]
pub struct Vector<S> {
    /// The three components, in the unit of the space.
    pub coords: Vector3<f64>,
    space: PhantomData<S>,
}

macro_rules! triple {
    ($name:ident) => {
        impl<S> $name<S> {
            /// From three coordinates.
            pub const fn new(x: f64, y: f64, z: f64) -> Self {
                Self { coords: Vector3::new(x, y, z), space: PhantomData }
            }
            /// From a nalgebra vector.
            pub const fn from_coords(coords: Vector3<f64>) -> Self {
                Self { coords, space: PhantomData }
            }
            /// As an array `[x, y, z]`.
            pub fn to_array(self) -> [f64; 3] {
                [self.coords.x, self.coords.y, self.coords.z]
            }
        }
        impl<S> Clone for $name<S> {
            fn clone(&self) -> Self {
                *self
            }
        }
        impl<S> Copy for $name<S> {}
        impl<S> PartialEq for $name<S> {
            fn eq(&self, other: &Self) -> bool {
                self.coords == other.coords
            }
        }
        impl<S> fmt::Debug for $name<S> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({}, {}, {})", stringify!($name), self.coords.x, self.coords.y, self.coords.z)
            }
        }
        impl<S> From<[f64; 3]> for $name<S> {
            fn from([x, y, z]: [f64; 3]) -> Self {
                Self::new(x, y, z)
            }
        }
        impl<S> From<$name<S>> for [f64; 3] {
            fn from(value: $name<S>) -> Self {
                value.to_array()
            }
        }
    };
}
triple!(Point);
triple!(Vector);

impl<S> Point<S> {
    /// Straight-line distance to another point of the same space.
    pub fn distance(self, other: Self) -> f64 {
        (self.coords - other.coords).norm()
    }
}

impl<S> Vector<S> {
    /// Euclidean length.
    pub fn norm(self) -> f64 {
        self.coords.norm()
    }
    /// Scalar product.
    pub fn dot(self, other: Self) -> f64 {
        self.coords.dot(&other.coords)
    }
}

impl<S> Sub for Point<S> {
    type Output = Vector<S>;
    fn sub(self, other: Self) -> Vector<S> {
        Vector::from_coords(self.coords - other.coords)
    }
}
impl<S> Add<Vector<S>> for Point<S> {
    type Output = Self;
    fn add(self, v: Vector<S>) -> Self {
        Self::from_coords(self.coords + v.coords)
    }
}
impl<S> Sub<Vector<S>> for Point<S> {
    type Output = Self;
    fn sub(self, v: Vector<S>) -> Self {
        Self::from_coords(self.coords - v.coords)
    }
}
impl<S> Add for Vector<S> {
    type Output = Self;
    fn add(self, v: Self) -> Self {
        Self::from_coords(self.coords + v.coords)
    }
}
impl<S> Mul<f64> for Vector<S> {
    type Output = Self;
    fn mul(self, s: f64) -> Self {
        Self::from_coords(self.coords * s)
    }
}
impl<S> Neg for Vector<S> {
    type Output = Self;
    fn neg(self) -> Self {
        Self::from_coords(-self.coords)
    }
}

/// An affine map from space `From` to space `To`, named from→to (`voxel_to_patient`, `moving_to_fixed`).
///
/// Between two [`Patient`] spaces the tag cannot tell the frames apart; [`crate::InFrame`] does.
pub struct Affine<From, To> {
    matrix: Matrix4<f64>,
    spaces: PhantomData<(From, To)>,
}

impl<F, T> Clone for Affine<F, T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<F, T> Copy for Affine<F, T> {}
impl<F, T> PartialEq for Affine<F, T> {
    fn eq(&self, other: &Self) -> bool {
        self.matrix == other.matrix
    }
}
impl<F, T> fmt::Debug for Affine<F, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Affine({:?})", self.to_rows())
    }
}

impl<F, T> Affine<F, T> {
    /// From linear part and translation.
    pub fn from_parts(linear: Matrix3<f64>, translation: Vector3<f64>) -> Self {
        let mut matrix = Matrix4::identity();
        matrix.fixed_view_mut::<3, 3>(0, 0).copy_from(&linear);
        matrix.fixed_view_mut::<3, 1>(0, 3).copy_from(&translation);
        Self { matrix, spaces: PhantomData }
    }

    /// From four rows of a homogeneous matrix; `None` unless the last row is 0 0 0 1 and every entry is finite.
    pub fn from_rows(rows: [[f64; 4]; 4]) -> Option<Self> {
        let finite = rows.iter().flatten().all(|v| v.is_finite());
        if !finite || rows[3] != [0.0, 0.0, 0.0, 1.0] {
            return None;
        }
        Some(Self { matrix: Matrix4::from_fn(|r, c| rows[r][c]), spaces: PhantomData })
    }

    /// The homogeneous matrix, row by row.
    pub fn to_rows(&self) -> [[f64; 4]; 4] {
        std::array::from_fn(|r| std::array::from_fn(|c| self.matrix[(r, c)]))
    }

    /// The 3×3 linear part.
    pub fn linear(&self) -> Matrix3<f64> {
        self.matrix.fixed_view::<3, 3>(0, 0).into_owned()
    }

    /// The translation.
    pub fn translation(&self) -> Vector3<f64> {
        self.matrix.fixed_view::<3, 1>(0, 3).into_owned()
    }

    /// Carries a point.
    pub fn apply(&self, p: Point<F>) -> Point<T> {
        Point::from_coords(self.linear() * p.coords + self.translation())
    }

    /// Carries a displacement (the translation does not act on it).
    pub fn apply_vector(&self, v: Vector<F>) -> Vector<T> {
        Vector::from_coords(self.linear() * v.coords)
    }

    /// The inverse map; `None` when the linear part is singular.
    pub fn inverse(&self) -> Option<Affine<T, F>> {
        let linear = self.linear().try_inverse()?;
        Some(Affine::from_parts(linear, -(linear * self.translation())))
    }

    /// First `self`, then `next`.
    pub fn then<U>(&self, next: &Affine<T, U>) -> Affine<F, U> {
        Affine { matrix: next.matrix * self.matrix, spaces: PhantomData }
    }
}

impl<S> Affine<S, S> {
    /// The identity of one space. Never a default: writing it is a statement.
    pub fn identity() -> Self {
        Self { matrix: Matrix4::identity(), spaces: PhantomData }
    }
}

impl<F, T> Serialize for Affine<F, T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_rows().serialize(serializer)
    }
}
impl<'de, F, T> Deserialize<'de> for Affine<F, T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let rows = <[[f64; 4]; 4]>::deserialize(deserializer)?;
        Self::from_rows(rows)
            .ok_or_else(|| serde::de::Error::custom("an affine needs finite entries and a last row 0 0 0 1"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inverse_after_forward_is_identity_on_an_oblique_map() {
        let linear = Matrix3::new(0.7, -0.1, 0.3, 0.2, 0.9, -0.4, 0.0, 0.5, 2.5);
        let voxel_to_patient = Affine::<Voxel, Patient>::from_parts(linear, Vector3::new(-120.0, 33.0, 700.0));
        let p = Point::<Voxel>::new(3.0, -7.5, 11.0);
        let back = voxel_to_patient.inverse().unwrap().apply(voxel_to_patient.apply(p));
        assert!(p.distance(back) < 1e-12);
    }

    #[test]
    fn then_applies_left_to_right() {
        let shift = Affine::<Voxel, Patient>::from_parts(Matrix3::identity(), Vector3::new(1.0, 0.0, 0.0));
        let scale = Affine::<Patient, Patient>::from_parts(Matrix3::identity() * 2.0, Vector3::zeros());
        assert_eq!(shift.then(&scale).apply(Point::new(0.0, 0.0, 0.0)).to_array(), [2.0, 0.0, 0.0]);
    }

    #[test]
    fn serde_keeps_every_digit() {
        let a = Affine::<Voxel, Patient>::from_parts(Matrix3::identity() * (1.0 / 3.0), Vector3::new(0.1, 0.2, 0.3));
        let text = serde_json::to_string(&a).unwrap();
        assert_eq!(serde_json::from_str::<Affine<Voxel, Patient>>(&text).unwrap(), a);
    }
}
