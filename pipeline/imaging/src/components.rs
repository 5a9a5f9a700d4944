//! Connected components of a mask in three dimensions, ordered by their first voxel.
//!
//! Source: union-find over the voxels already visited (Hoshen and Kopelman 1976; path halving after Tarjan).

use nalgebra::Vector3;

use crate::grid::{Index3, Shape};
use crate::mask::Mask;
use crate::space::{Patient, Point};
use crate::volume::Volume;

/// Which voxels touch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connectivity {
    /// A common face: 6 neighbours.
    Faces,
    /// A common face or edge: 18 neighbours.
    Edges,
    /// A common face, edge or corner: 26 neighbours.
    Corners,
}

impl Connectivity {
    /// The neighbours that come earlier in memory order, as (di, dj, dk).
    fn earlier(self) -> Vec<[i64; 3]> {
        let reach = match self {
            Self::Faces => 1,
            Self::Edges => 2,
            Self::Corners => 3,
        };
        let mut steps = Vec::new();
        for dk in -1_i64..=0 {
            for dj in -1_i64..=1 {
                for di in -1_i64..=1 {
                    let before = (dk, dj, di) < (0, 0, 0);
                    if before && di.abs() + dj.abs() + dk.abs() <= reach {
                        steps.push([di, dj, dk]);
                    }
                }
            }
        }
        steps
    }
}

/// One connected component.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Component {
    /// Its value in the label volume, from 1 in the order of the first voxel.
    pub label: u32,
    /// Its first voxel in memory order (lowest slice, then row, then column).
    pub first: Index3,
    /// Number of voxels.
    pub n_voxels: usize,
    /// Smallest index along each axis.
    pub low: Index3,
    /// Largest index along each axis, inclusive.
    pub high: Index3,
    /// Mean of the voxel centres, LPS mm.
    pub centroid: Point<Patient>,
}

/// The components of a mask and where they lie.
#[derive(Debug, Clone, PartialEq)]
pub struct Components {
    /// 0 for background, else the component's label.
    pub labels: Volume<u32>,
    /// The components by ascending label.
    pub list: Vec<Component>,
}

impl Components {
    /// The mask of one component.
    #[must_use]
    pub fn mask(&self, label: u32) -> Mask {
        self.labels.map(|v| *v == label)
    }
    /// The component with most voxels; of equals the first.
    #[must_use]
    pub fn largest(&self) -> Option<&Component> {
        self.list.iter().min_by_key(|c| (usize::MAX - c.n_voxels, c.label))
    }
}

/// Finds the connected components of a mask.
#[must_use]
pub fn components(mask: &Mask, connectivity: Connectivity) -> Components {
    let shape = mask.shape();
    let mut labels = Volume::filled(mask.grid().clone(), 0_u32);
    let mut parents = provisional(mask.values(), shape, connectivity, labels.values_mut());
    // A root is the smallest label of its set, and labels were given in memory order: ascending roots are ascending first voxels.
    let mut final_of = vec![0_u32; parents.len()];
    let mut n_components = 0;
    for label in 1..parents.len() {
        let root = find(&mut parents, label as u32) as usize;
        if root == label {
            n_components += 1;
            final_of[label] = n_components;
        } else {
            final_of[label] = final_of[root];
        }
    }
    for value in labels.values_mut() {
        *value = final_of[*value as usize];
    }
    let list = described(&labels, n_components as usize);
    Components { labels, list }
}

/// First pass: gives every set voxel a label and notes which labels belong together. Returns the parent of every label.
fn provisional(mask: &[bool], shape: Shape, connectivity: Connectivity, labels: &mut [u32]) -> Vec<u32> {
    let steps = connectivity.earlier();
    let mut parents = vec![0_u32];
    let (ni, nj) = (shape.ni as i64, shape.nj as i64);
    for n in 0..mask.len() {
        if !mask[n] {
            continue;
        }
        let at = shape.index(n);
        let mut label = 0;
        for [di, dj, dk] in &steps {
            let (i, j, k) = (at.i as i64 + di, at.j as i64 + dj, at.k as i64 + dk);
            if i < 0 || i >= ni || j < 0 || j >= nj || k < 0 {
                continue;
            }
            let neighbour = labels[((k * nj + j) * ni + i) as usize];
            if neighbour != 0 {
                label = if label == 0 { find(&mut parents, neighbour) } else { join(&mut parents, label, neighbour) };
            }
        }
        if label == 0 {
            label = parents.len() as u32;
            parents.push(label);
        }
        labels[n] = label;
    }
    parents
}

fn find(parents: &mut [u32], mut label: u32) -> u32 {
    while parents[label as usize] != label {
        parents[label as usize] = parents[parents[label as usize] as usize];
        label = parents[label as usize];
    }
    label
}

/// Unites two sets under the smaller root and returns it.
fn join(parents: &mut [u32], a: u32, b: u32) -> u32 {
    let (a, b) = (find(parents, a), find(parents, b));
    let (root, child) = (a.min(b), a.max(b));
    parents[child as usize] = root;
    root
}

fn described(labels: &Volume<u32>, n_components: usize) -> Vec<Component> {
    let shape = labels.shape();
    let origin = Index3 { i: 0, j: 0, k: 0 };
    let empty = Component {
        label: 0,
        first: origin,
        n_voxels: 0,
        low: origin,
        high: origin,
        centroid: Point::new(0.0, 0.0, 0.0),
    };
    let mut list = vec![empty; n_components];
    let mut sums = vec![Vector3::zeros(); n_components];
    for (n, label) in labels.values().iter().enumerate().filter(|(_, label)| **label != 0) {
        let at = shape.index(n);
        let index = *label as usize - 1;
        let c = &mut list[index];
        if c.n_voxels == 0 {
            (c.label, c.first, c.low, c.high) = (*label, at, at, at);
        }
        c.n_voxels += 1;
        c.low = Index3 { i: c.low.i.min(at.i), j: c.low.j.min(at.j), k: c.low.k.min(at.k) };
        c.high = Index3 { i: c.high.i.max(at.i), j: c.high.j.max(at.j), k: c.high.k.max(at.k) };
        sums[index] += at.center().coords;
    }
    for (c, sum) in list.iter_mut().zip(sums) {
        c.centroid = labels.grid().voxel_to_patient().apply(Point::from_coords(sum / c.n_voxels as f64));
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FrameId, Grid};

    fn oblique(shape: Shape) -> Grid {
        let rotation = *nalgebra::Rotation3::from_euler_angles(0.2, -0.1, 0.4).matrix();
        Grid::from_directions(shape, Point::new(-40.0, 12.0, 90.0), [0.8, 0.7, 5.0], rotation, FrameId::new("f"))
            .unwrap()
    }

    fn of(set: &[[usize; 3]]) -> Mask {
        Mask::from_fn(oblique(Shape { ni: 5, nj: 4, nk: 3 }), |at| set.contains(&[at.i, at.j, at.k]))
    }

    #[test]
    fn face_edge_and_corner_neighbours() {
        let expected = [([1, 1, 1], [1, 1, 1]), ([1, 2, 1], [2, 1, 1]), ([1, 2, 2], [2, 2, 1]), ([2, 1, 1], [2, 2, 2])];
        for (other, counts) in expected {
            let mask = of(&[[0, 1, 1], other]);
            let n = |c| components(&mask, c).list.len();
            assert_eq!([n(Connectivity::Faces), n(Connectivity::Edges), n(Connectivity::Corners)], counts, "{other:?}");
        }
    }

    #[test]
    fn a_u_shape_is_one_and_the_order_is_that_of_the_first_voxel() {
        // The two arms get different provisional labels and meet in the last row; a single voxel lies between them.
        let mask = of(&[
            [0, 0, 0],
            [4, 0, 0],
            [0, 1, 0],
            [4, 1, 0],
            [0, 2, 0],
            [1, 2, 0],
            [2, 2, 0],
            [3, 2, 0],
            [4, 2, 0],
            [2, 0, 0],
            [2, 0, 2],
        ]);
        let got = components(&mask, Connectivity::Faces);
        assert_eq!(got.list.iter().map(|c| c.n_voxels).collect::<Vec<_>>(), vec![9, 1, 1]);
        assert_eq!(got.list.iter().map(|c| c.label).collect::<Vec<_>>(), vec![1, 2, 3]);
        assert_eq!(got.list[1].first, Index3 { i: 2, j: 0, k: 0 });
        assert_eq!(got.largest().unwrap().label, 1);
        assert_eq!((got.list[0].low, got.list[0].high), (Index3 { i: 0, j: 0, k: 0 }, Index3 { i: 4, j: 2, k: 0 }));
        let middle = mask.grid().voxel_to_patient().apply(Point::new(2.0, 12.0 / 9.0, 0.0));
        assert!(got.list[0].centroid.distance(middle) < 1e-12);
        assert_eq!(got.mask(3).n_voxels_set(), 1);
        assert!(components(&of(&[]), Connectivity::Corners).list.is_empty());
    }

    #[test]
    fn counts_agree_with_scipy_on_noise() {
        let grid = oblique(Shape { ni: 31, nj: 23, nk: 11 });
        let mask = Mask::from_fn(grid, noise);
        let n = |c| components(&mask, c).list.len();
        // scipy.ndimage.label 1.17.1 with generate_binary_structure(3, 1 | 2 | 3).
        assert_eq!([n(Connectivity::Faces), n(Connectivity::Edges), n(Connectivity::Corners)], SCIPY_COUNTS);
    }

    const SCIPY_COUNTS: [usize; 3] = [730, 137, 51];

    fn noise(at: Index3) -> bool {
        let h = (at.i * 73_856_093) ^ (at.j * 19_349_663) ^ (at.k * 83_492_791);
        (h / 7) % 100 < 17
    }
}
