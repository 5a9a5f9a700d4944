"""The sarcoma patients as arrays: image and mask of each modality on axes z, y, x pointing to superior, posterior, left."""
import hashlib
import pathlib

import nibabel
import numpy as np
from scipy import ndimage

FILES = {"CT": "ct", "MR": "mr_t1", "PT": "pet"}
FOLDS = 5
PYRAMID_MM = (3.0, 4.5, 6.5)


def patients(root):
    """The patients' folders in order; the fold of each is its place modulo FOLDS."""
    return sorted(p.name for p in pathlib.Path(root).iterdir() if (p / "pet.nii.gz").exists())


def fold_of(root):
    return {name: n % FOLDS for n, name in enumerate(patients(root))}


def load(path):
    """Values [z, y, x] and spacing (z, y, x) in mm of a NIfTI file, its axes turned to left, posterior, superior."""
    image = nibabel.load(path)
    turn = nibabel.orientations.ornt_transform(
        nibabel.io_orientation(image.affine), nibabel.orientations.axcodes2ornt(("L", "P", "S"))
    )
    image = image.as_reoriented(turn)
    spacing = np.array(image.header.get_zooms()[:3], np.float64)[::-1]
    return np.ascontiguousarray(np.asarray(image.dataobj, np.float32).T), spacing


def tent(values, spacing, target_mm):
    """The program's anti-aliased resampling, kept on the same grid: a triangle of the target's spacing along each axis."""
    for axis in range(3):
        half = target_mm / spacing[axis]
        if half > 1.0:
            reach = int(np.floor(half))
            weight = np.maximum(0.0, 1.0 - np.abs(np.arange(-reach, reach + 1)) / half)
            values = ndimage.correlate1d(values, (weight / weight.sum()).astype(np.float32), axis=axis, mode="nearest")
    return values


class Case:
    """One image with its outlined lesion, ready to be sampled at any spacing."""

    def __init__(self, folder, modality):
        name = FILES[modality]
        self.patient, self.modality = folder.name, modality
        self.values, self.spacing = load(folder / f"{name}.nii.gz")
        self.mask = load(folder / f"{name}_mask.nii.gz")[0] > 0.5
        where = np.argwhere(self.mask)
        self.extent_mm = float(((where.max(0) - where.min(0) + 1) * self.spacing).max())
        self.depth = ndimage.distance_transform_edt(np.pad(self.mask, 1), sampling=self.spacing)[1:-1, 1:-1, 1:-1]

    def pyramid(self):
        """Copies smoothed for coarser grids, as (least spacing, values)."""
        levels = [(0.0, self.values)]
        return levels + [(mm, tent(self.values, self.spacing, mm)) for mm in PYRAMID_MM]

    def centre(self):
        """The voxel farthest inside the mask (the first in order where several are)."""
        return np.array(np.unravel_index(int(np.argmax(self.depth)), self.depth.shape))


def cases(root, names, modalities=tuple(FILES)):
    return [Case(pathlib.Path(root) / name, modality) for name in names for modality in modalities]


def digest(root):
    """SHA-256 over all images and masks, patient by patient in order of the files' names."""
    total = hashlib.sha256()
    for name in patients(root):
        for path in sorted((pathlib.Path(root) / name).glob("*.nii.gz")):
            total.update(path.read_bytes())
    return total.hexdigest()
