"""Pairs that nobody can register, made of good ones: another patient's image, too little of the liver, flipped voxels."""

import json
import shutil

import numpy as np
import SimpleITK as sitk

from . import images

KEPT = 0.2  # part of the liver that stays in the image where coverage is missing
ROLES = ("moving", "moving_liver", "moving_zone")
# name: (pair of the fixed image, pair of the moving image, what is done to the moving image)
BAD = {
    "bad-stranger-0": ("phantom-00", "phantom-01", None),
    "bad-stranger-1": ("phantom-03", "phantom-02", None),
    "bad-stranger-2": ("ct-00", "phantom-00", None),
    "bad-stranger-3": ("phantom-01", "ct-01", None),
    "bad-cut-0": ("ct-02", "ct-02", "top"),
    "bad-cut-1": ("ct-03", "ct-03", "bottom"),
    "bad-cut-2": ("phantom-04", "phantom-04", "top"),
    "bad-flipped-0": ("ct-05", "ct-05", "left-right"),
    "bad-flipped-1": ("phantom-06", "phantom-06", "left-right"),
    "bad-flipped-2": ("ct-07", "ct-07", "up-down"),
}


def slices_kept(liver, end):
    """The slices at one end that hold KEPT of the liver."""
    area = liver.sum((1, 2)) / liver.sum()
    from_end = np.cumsum(area[::-1])[::-1] if end == "top" else np.cumsum(area)
    kept = np.nonzero(from_end <= KEPT)[0]
    return slice(int(kept.min()), len(area)) if end == "top" else slice(0, int(kept.max()) + 1)


def changed(arrays, how):
    """The moving image's arrays [k, j, i] and the slices that stay."""
    if how == "left-right":
        return [a[:, :, ::-1] for a in arrays]
    if how == "up-down":
        return [a[::-1] for a in arrays]
    return arrays


def make_bad(out, name, plan):
    fixed, moving, how = plan
    folder = out / name
    folder.mkdir(parents=True, exist_ok=True)
    for role in ("fixed", "fixed_liver", "fixed_tumour"):
        shutil.copy(out / fixed / f"{role}.nii.gz", folder)
    read = [sitk.ReadImage(str(out / moving / f"{role}.nii.gz")) for role in ROLES]
    arrays = changed([sitk.GetArrayFromImage(image) for image in read], how)
    made = [images.like(np.ascontiguousarray(a), image) for a, image in zip(arrays, read)]
    if how in ("top", "bottom"):
        kept = slices_kept(arrays[1].astype(bool), how)
        made = [image[:, :, kept] for image in made]
    for role, image in zip(ROLES, made):
        sitk.WriteImage(image, str(folder / f"{role}.nii.gz"), True)
    truth = {"bad": f"{how or 'stranger'}: fixed of {fixed}, moving of {moving}"}
    (folder / "truth.json").write_text(json.dumps(truth) + "\n")
    return truth["bad"]
