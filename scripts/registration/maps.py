"""Maps from points of the fixed image to points of the moving one (LPS mm), as each program writes them."""

import json

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from . import images


class Matrix:
    def __init__(self, fixed_to_moving):
        self.matrix = np.asarray(fixed_to_moving, float)

    def __call__(self, p):
        return p @ self.matrix[:3, :3].T + self.matrix[:3, 3]


class Field:
    """A displacement for each voxel of a grid, linear between them, then a matrix (greedy's order) where there is one."""

    def __init__(self, path, then=None):
        self.image = sitk.ReadImage(str(path), sitk.sitkVectorFloat32)
        values = sitk.GetArrayFromImage(self.image)
        self.parts = [np.ascontiguousarray(values[..., n]) for n in range(3)]
        self.then = then

    def __call__(self, p):
        at = images.indices_of(self.image, p)
        moved = p + np.stack([ndimage.map_coordinates(part, at, order=1, mode="nearest") for part in self.parts], -1)
        return moved if self.then is None else self.then(moved)


class Identity:
    def __call__(self, p):
        return p


def ours(folder):
    """What `lesiontrace register` wrote."""
    said = json.loads((folder / "moving_to_fixed.json").read_text())
    if said.get("moving_to_fixed") is not None:
        return Matrix(np.linalg.inv(np.array(said["moving_to_fixed"])))
    return Field(folder / said["displacement"])


def greedy_matrix(path):
    """greedy writes fixed to moving in RAS; RAS to LPS is half a turn about z."""
    flip = np.diag([-1.0, -1.0, 1.0, 1.0])
    return Matrix(flip @ np.loadtxt(path) @ flip)


def landmark_errors(found, marks):
    """Distances in mm of where a map carries landmarks from where they are, and the parts along x, y, z."""
    off = found(np.array(marks["fixed"])) - np.array(marks["moving"])
    return np.linalg.norm(off, axis=1), off


def carried_zone(found, pair, out):
    """The fine zone of the moving image on the fine grid of the fixed tumour, nearest voxel: as `lesiontrace warp` does it."""
    fine, zone = (sitk.ReadImage(str(pair / f"{name}.nii.gz")) for name in ("fine_tumour", "fine_zone"))
    at = images.indices_of(zone, found(images.points_of(fine)))
    there = ndimage.map_coordinates(sitk.GetArrayFromImage(zone), at, order=0, mode="constant", cval=0)
    images.write(out, images.like(there.astype(np.uint8), fine), sitk.sitkUInt8)
