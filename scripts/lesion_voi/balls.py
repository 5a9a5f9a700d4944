"""Balls in a box: what the networks make of a lesion whose volume and contrast are known, brighter or darker than round it."""
import nibabel
import numpy as np

SEED = 0
# Modality, spacing in mm, radii in mm, value inside, value round it, noise; a CT's in HU, a PET's in SUV.
CASES = (
    ("CT", (0.8, 0.8, 2.5), (5, 12, 25), 110, 40, 12),
    ("CT", (0.8, 0.8, 2.5), (5, 12, 25), 60, 110, 15),
    ("MR", (1.0, 1.0, 4.0), (8, 15, 30), 600, 250, 30),
    ("MR", (1.0, 1.0, 4.0), (8, 15, 30), 250, 600, 30),
    ("PT", (4.0, 4.0, 3.0), (8, 15, 30), 8, 1, 0.2),
)


def ball(rng, spacing, radius, inside, outside, noise):
    """An image with a ball in its middle, its mask, and the middle in voxels."""
    shape = [int((2 * radius + 50) / mm) for mm in spacing]
    middle = np.array(shape) / 2
    at = np.ogrid[tuple(slice(0, n) for n in shape)]
    mask = sum(((a - m) * mm) ** 2 for a, m, mm in zip(at, middle, spacing)) <= radius**2
    values = np.where(mask, inside, outside) + rng.normal(0, noise, shape)
    image = nibabel.Nifti1Image(values.astype(np.float32), np.diag([-spacing[0], -spacing[1], spacing[2], 1.0]))
    image.header.set_xyzt_units("mm")
    return image, mask, middle


def balls(work, outlined, long_axis):
    """A row for each ball. `outlined(modality, image, path, low, high)`: voxels and what is said of a box in voxels;
    `long_axis()`: that of the outline just made, mm."""
    rng = np.random.default_rng(SEED)
    rows = []
    for modality, spacing, radii, inside, outside, noise in CASES:
        for radius in radii:
            image, mask, middle = ball(rng, spacing, radius, inside, outside, noise)
            path = work / "ball.nii.gz"
            nibabel.save(image, path)
            half = radius / np.array(spacing)
            found, said = outlined(modality, image, path, middle - half, middle + half)
            axis = long_axis()
            rows.append({
                "modality": modality, "lesion": "brighter" if inside > outside else "darker", "radius_mm": radius,
                "inside": inside, "outside": outside, "noise": noise,
                "dice": f"{2 * (found & mask).sum() / (found.sum() + mask.sum()):.3f}",
                "volume_ratio": f"{found.sum() / mask.sum():.3f}",
                "long_axis_ratio": "" if axis is None else f"{axis / (2 * radius):.3f}",
                "agreement": said["agreement"] if isinstance(said["agreement"], float) else "", "trusted": said["trusted"],
            })
            print(rows[-1], flush=True)
    return rows
