#!/usr/bin/env python3
"""Puts synthetic lesions of 5 to 40 mm into the liver of a real portal venous CT, for measuring prompted segmentation.

Each image is the CT with some lesions far apart: darker than liver (a few brighter), with the CT's own fine texture,
some with a darker core, and with the partial volume of its slices. Long axes are even on a logarithmic scale.

  scripts/make_inserted_lesions.py CT_FOLDER --out CASES [--images 10] [--lesions 5] [--seed 11]

Writes CASES/<n>.nii.gz, CASES/<n>_mask.nii.gz (lesion 1, 2, ...) and CASES/truth.json (long axis, centre and contrast of each).
Needs numpy, scipy, pydicom and nibabel. Seeded. The images remain those of a real patient: keep them where the CT may be kept.
"""
import argparse
import json
from pathlib import Path

import nibabel
import numpy as np
from make_follow_up_pair import Placed, inserted, mask_of, read_series, rough_liver, tumour_of, weight
from scipy import ndimage

GAP_MM = 12.0  # least distance between two lesions' surfaces


def places(rng, liver, grid, long_axes):
    """A centre for each lesion, largest first, inside the liver and apart from the others; those without room are left out."""
    depth = ndimage.distance_transform_edt(liver, sampling=grid.spacing[::-1])
    taken = []
    for axis_mm in sorted(long_axes, reverse=True):
        room = np.argwhere(depth > min(axis_mm / 2, 0.9 * depth.max()))
        for _ in range(200):
            centre = grid.points(room[rng.integers(len(room))] + rng.uniform(-0.5, 0.5, 3))
            if all(np.linalg.norm(centre - other) > (axis_mm + size) / 2 + GAP_MM for other, size in taken):
                taken.append((centre, axis_mm))
                break
    return taken


def one_image(rng, hu, smooth, grid, liver, n_lesions):
    """The CT with lesions, their masks and what is known of them."""
    image, masks, known = hu.copy(), np.zeros(hu.shape, np.uint8), []
    long_axes = np.exp(rng.uniform(np.log(5), np.log(40), n_lesions))
    for centre, axis_mm in places(rng, liver, grid, long_axes):
        shape = Placed(tumour_of(rng, centre, axis_mm))
        mask = mask_of(shape, grid)
        if not mask.any():
            continue
        around = float(np.median(smooth[mask]))
        contrast = float(rng.uniform(-70, -25) if rng.random() < 0.85 else rng.uniform(25, 50))
        core = Placed(tumour_of(rng, centre, 0.5 * axis_mm)) if axis_mm > 20 and rng.random() < 0.4 else None
        for k in range(hu.shape[0]):
            w = weight(shape, grid, k)
            if w.any():
                image[k] = inserted(image[k], w, around + contrast)
                if core is not None:
                    image[k] = inserted(image[k], weight(core, grid, k), around + 1.6 * contrast)
        masks[mask] = len(known) + 1
        known.append({"label": len(known) + 1, "long_axis_mm": round(axis_mm, 2), "contrast_hu": round(contrast, 1),
                      "centre_lps_mm": np.round(centre, 2).tolist(), "core": core is not None})
    return image, masks, known


def write(path, values, grid):
    """LPS becomes RAS in the affine; values [k, j, i] are stored i fastest."""
    affine = np.diag([-grid.spacing[0], -grid.spacing[1], grid.spacing[2], 1.0])
    affine[:3, 3] = [-grid.origin[0], -grid.origin[1], grid.origin[2]]
    nibabel.save(nibabel.Nifti1Image(np.ascontiguousarray(values.T), affine), path)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ct", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--images", type=int, default=10)
    parser.add_argument("--lesions", type=int, default=5)
    parser.add_argument("--seed", type=int, default=11)
    args = parser.parse_args()
    _, hu, grid = read_series(args.ct)
    liver, smooth = rough_liver(hu, grid, None)
    args.out.mkdir(parents=True, exist_ok=True)
    truth = {}
    for n in range(args.images):
        image, masks, known = one_image(np.random.default_rng([args.seed, n]), hu, smooth, grid, liver, args.lesions)
        write(args.out / f"{n}.nii.gz", np.round(image).astype(np.int16), grid)
        write(args.out / f"{n}_mask.nii.gz", masks, grid)
        truth[str(n)] = known
        print(f"image {n}: {[lesion['long_axis_mm'] for lesion in known]} mm", flush=True)
    (args.out / "truth.json").write_text(json.dumps(truth, indent=1) + "\n")


if __name__ == "__main__":
    main()
