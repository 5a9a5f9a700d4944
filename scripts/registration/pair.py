"""One pair with known truth: a tumour in the fixed image, its ablation zone in the moving one, moved and bent by a known map."""

import json
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from . import images
from .images import AIR_HU
from .motion import Motion, random_field
from .shapes import SEEN, min_margin, tumour_of, zone_of

N_LIVER, N_NEAR = 200, 50  # landmarks
TUMOUR_HU = 70.0  # darker or brighter than the liver
ZONE_HU, ZONE_RIM_MM, ZONE_RIM_HU = -65.0, 2.5, 15.0


@dataclass
class Patient:
    """What both images of a pair are made of."""

    name: str
    fixed: sitk.Image  # HU on the fixed image's grid, with its own noise
    calm: sitk.Image  # HU without noise, on this grid or a finer one: what the moving image is resampled from
    liver: np.ndarray  # mask on the fixed image's grid
    noise_hu: float
    samples: int  # samples through a slice of the moving image

    def __post_init__(self):
        self.depth = images.depth_within(self.liver, self.fixed.GetSpacing()[::-1])
        self.body = images.body_box(self.fixed)


@dataclass
class Plan:
    """What is drawn for a pair."""

    field_mm: float
    sigma_mm: float
    margin_mm: float
    long_axis_mm: float
    form: str
    bright: bool
    look: str  # blur, sharpen or contrast: how the second scan differs


def place(rng, patient, room_mm):
    """A point of the liver at least this deep, or the deepest."""
    depth = patient.depth
    there = np.argwhere(depth > min(room_mm, depth.max() - 1e-6 if depth.max() < room_mm else room_mm))
    if len(there) == 0:
        there = np.argwhere(depth == depth.max())
    kji = there[rng.integers(len(there))]
    matrix, origin = images.frame_of(patient.fixed)
    return matrix @ kji[::-1] + origin, float(depth.max())


def motion_of(rng, patient, plan):
    """A map whose start error within the liver is 5 to 20 mm."""
    matrix, origin = images.frame_of(patient.fixed)
    inside = np.argwhere(patient.liver)[::97, ::-1] @ matrix.T + origin
    size = np.array(patient.fixed.GetSize()) - 1
    low, high = np.minimum(origin, origin + matrix @ size) - 40, np.maximum(origin, origin + matrix @ size) + 40
    coefficients, jacobian = random_field(rng, low, high, inside, plan.sigma_mm, plan.field_mm)
    for _ in range(200):
        angles = rng.uniform([-3, -3, -5], [3, 3, 5])
        shift = rng.uniform([-6, -6, -15], [6, 6, 15])
        motion = Motion(inside.mean(0), angles, shift, low, coefficients)
        off = np.linalg.norm(motion.to_moving(inside) - inside, axis=1)
        if 5 <= np.median(off) <= 18 and off.max() < 32:
            return motion, jacobian, float(np.median(off))
    raise SystemExit("no motion with a start error of 5 to 18 mm in 200 draws")


def moving_grid(rng, patient, motion, oblique_deg):
    """The fixed grid, shifted by a part of a voxel round where the liver went, turned a little where asked."""
    grid = patient.fixed
    matrix, origin = images.frame_of(grid)
    middle = origin + matrix @ ((np.array(grid.GetSize()) - 1) / 2)
    to = motion.rigid_to_moving(middle[None])[0]
    to += matrix @ rng.uniform(-0.5, 0.5, 3) + [0, 0, rng.uniform(-4, 4)]
    turn = np.array(sitk.Euler3DTransform((0, 0, 0), np.radians(oblique_deg), 0, 0).GetMatrix()).reshape(3, 3)
    start = to - turn @ (matrix @ ((np.array(grid.GetSize()) - 1) / 2))
    return images.grid_of(grid.GetSize(), grid.GetSpacing(), start, turn.ravel())


def carried(patient, grid, motion):
    """The image without noise seen through the motion, at some depths of each slice's thickness; air round the body."""
    n, samples = grid.GetSize()[2], patient.samples
    rows, columns = patient.body
    i, j = columns.stop - columns.start, rows.stop - rows.start
    spacing = np.array(grid.GetSpacing()) / [1, 1, samples]
    matrix, origin = images.frame_of(grid)
    start = origin + matrix @ [columns.start, rows.start, -(samples - 1) / (2 * samples)]
    fine = images.grid_of((i, j, n * samples), spacing, start, grid.GetDirection())
    seen = sitk.Resample(patient.calm, fine, motion.itk(), sitk.sitkBSpline, AIR_HU, sitk.sitkFloat32)
    hu = np.full(grid.GetSize()[::-1], AIR_HU, np.float32)
    hu[:, rows, columns] = sitk.GetArrayFromImage(seen).reshape(n, samples, j, i).mean(1)
    return hu


def carried_liver(patient, grid, motion):
    """The liver's mask seen through the motion, found on every second row and column."""
    i, j, k = grid.GetSize()
    spacing = np.array(grid.GetSpacing()) * [2, 2, 1]
    coarse = images.grid_of((i // 2 + 1, j // 2 + 1, k), spacing, grid.GetOrigin(), grid.GetDirection())
    liver = images.like(patient.liver.astype(np.float32), patient.fixed)
    seen = sitk.Resample(liver, coarse, motion.itk(), sitk.sitkLinear, 0.0)
    return sitk.GetArrayFromImage(sitk.Resample(seen, grid, sitk.Transform(), sitk.sitkLinear, 0.0)) > 0.5


def inserted(hu, box, layers, depth_of, target_hu):
    """The solid's own value (and noise), with the partial volume of the grid's slices."""
    w = images.weight(depth_of, layers)
    hu[box] += w * (target_hu - hu[box])


def with_tumour(rng, patient, tumour, tumour_hu):
    """The fixed image with the tumour, as noisy as the rest."""
    grid, hu = patient.fixed, sitk.GetArrayFromImage(patient.fixed)
    box = images.box_around(grid, tumour.centre, tumour.reach_mm + 8)
    grain = second_look(rng, np.zeros_like(hu), "none", patient.noise_hu)[box]
    inserted(hu, box, images.through_slices(grid, box), tumour.depth, tumour_hu + grain)
    return hu, inside(grid, box, tumour.depth)


def with_zone(patient, grid, motion, tumour, zone, tumour_hu, liver_hu):
    """The moving image without noise: what is left of the tumour, the zone over it with its brighter rim."""
    hu = carried(patient, grid, motion)
    there = motion.to_moving(tumour.centre[None])[0]
    box = images.box_around(grid, there, 1.4 * max(tumour.reach_mm, zone.reach_mm) + 12)
    layers = [motion.to_fixed(points) for points in images.through_slices(grid, box)]
    inserted(hu, box, layers, tumour.depth, tumour_hu)
    inserted(hu, box, layers, zone.depth, liver_hu + ZONE_RIM_HU)
    inserted(hu, box, layers, lambda p: zone.depth(p) - ZONE_RIM_MM, liver_hu + ZONE_HU)
    return hu, inside(grid, box, lambda y: zone.depth(motion.to_fixed(y)))


def second_look(rng, hu, look, noise_hu):
    """Another kernel or more contrast medium, and noise of its own with the first scan's strength and grain."""
    if look == "contrast":
        hu = np.where((hu > 0) & (hu < 400), hu * 1.1, hu)
    grain = 0.5  # voxels: the fine grain of a standard kernel, as measured in the real CT
    if look == "blur":
        hu, grain = ndimage.gaussian_filter(hu, [0, 0.7, 0.7]), 0.7
    if look == "sharpen":
        hu, grain = hu + 0.5 * (hu - ndimage.gaussian_filter(hu, [0, 1.2, 1.2])), 0.4
    fresh = ndimage.gaussian_filter(rng.standard_normal(hu.shape, dtype=np.float32), [0, grain, grain])
    return np.clip(hu + noise_hu / fresh.std() * fresh, AIR_HU, 3000)


def roughened(rng, mask, depth, spacing, by_mm=1.0):
    """The mask as another hand would draw it: its surface moved by a smooth random field of this spread."""
    wide = images.box_of(mask, 4)
    bumps = ndimage.gaussian_filter(rng.standard_normal(mask[wide].shape, dtype=np.float32), [8.0 / s for s in spacing])
    out = np.zeros_like(mask)
    out[wide] = depth[wide] + by_mm * bumps / bumps.std() > 0
    return out


def landmarks(rng, patient, grid, motion, tumour, zone):
    """Points of the liver far from the tumour and points near it, fixed and moving (LPS mm)."""
    deep = patient.depth > 3.0
    matrix, origin = images.frame_of(patient.fixed)
    kji = np.argwhere(deep)
    at = kji[rng.permutation(len(kji))[:40_000]] + rng.uniform(-0.5, 0.5, (min(len(kji), 40_000), 3))
    points = at[:, ::-1] @ matrix.T + origin
    there = images.indices_of(grid, motion.to_moving(points))
    seen = np.all((there > 0.5) & (there < np.array(grid.GetSize()[::-1])[:, None] - 1.5), axis=0)
    off, off_zone = -tumour.depth(points), -zone.depth(points)
    liver = points[seen & (off >= 10) & (off_zone > 3)][:N_LIVER]
    near = points[seen & (off_zone > 2) & (off <= 20)][:N_NEAR]
    if len(liver) < N_LIVER or len(near) < N_NEAR:
        raise SystemExit(f"{len(liver)} and {len(near)} landmarks, expected {N_LIVER} and {N_NEAR}: another seed")
    return {"liver": (liver, motion.to_moving(liver)), "near": (near, motion.to_moving(near))}


def make(rng, patient, plan, out, oblique_deg=0.0):
    """Writes the images, masks and truth.json of one pair into a folder."""
    out.mkdir(parents=True, exist_ok=True)
    grid = patient.fixed
    room = plan.long_axis_mm / 2 + max(plan.margin_mm, 0) + 3
    centre, deepest = place(rng, patient, room)
    margin_mm = min(plan.margin_mm, deepest - plan.long_axis_mm / 2 - 1)
    tumour = tumour_of(rng, centre, plan.long_axis_mm, plan.form)
    zone = zone_of(rng, tumour, margin_mm, rng.uniform(0, 3))
    motion, jacobian, start_mm = motion_of(rng, patient, plan)
    moving = moving_grid(rng, patient, motion, oblique_deg)

    liver_hu = float(np.median(sitk.GetArrayFromImage(grid)[patient.liver]))
    tumour_hu = liver_hu + (TUMOUR_HU if plan.bright else -TUMOUR_HU)
    fixed_hu, tumour_mask = with_tumour(rng, patient, tumour, tumour_hu)
    moving_hu, zone_mask = with_zone(patient, moving, motion, tumour, zone, tumour_hu, liver_hu)
    moving_hu = second_look(rng, moving_hu, plan.look, patient.noise_hu)

    spacing = grid.GetSpacing()[::-1]
    liver_there = carried_liver(patient, moving, motion)
    images.write(out / "fixed.nii.gz", images.like(fixed_hu, grid))
    images.write(out / "moving.nii.gz", images.like(moving_hu.astype(np.float32), moving))
    write_masks(out, {
        "fixed_liver": (roughened(rng, patient.liver, patient.depth, spacing), grid),
        "moving_liver": (roughened(rng, liver_there, images.depth_within(liver_there, spacing), spacing), moving),
        "fixed_tumour": (tumour_mask, grid),
        "moving_zone": (zone_mask, moving),
    })
    fine = images.fine_grid(tumour.centre, max(tumour.reach_mm, zone.reach_mm) + 14)
    fine_there = images.fine_grid(motion.to_moving(tumour.centre[None])[0], 1.4 * max(tumour.reach_mm, zone.reach_mm) + 12)
    points = images.points_of(fine)
    write_masks(out, {
        "fine_tumour": (tumour.depth(points) >= 0, fine),
        "fine_zone_true": (zone.depth(points) >= 0, fine),
        "fine_zone": (zone.depth(motion.to_fixed(images.points_of(fine_there))) >= 0, fine_there),
    })
    marks = landmarks(rng, patient, moving, motion, tumour, zone)
    truth = {
        "patient": patient.name, "bad": None, "margin_mm": round(min_margin(tumour.surface(SEEN), zone), 3),
        "field_mm": plan.field_mm, "sigma_mm": plan.sigma_mm, "start_mm": round(start_mm, 2), "jacobian": np.round(jacobian, 3).tolist(),
        "long_axis_mm": plan.long_axis_mm, "form": plan.form, "bright": plan.bright, "look": plan.look, "oblique_deg": oblique_deg,
        "tumour_centre": np.round(tumour.centre, 3).tolist(),
        "landmarks": {name: {"fixed": np.round(a, 4).tolist(), "moving": np.round(b, 4).tolist()} for name, (a, b) in marks.items()},
    }
    (out / "truth.json").write_text(json.dumps(truth) + "\n")
    return truth


def inside(grid, box, depth_of):
    mask = np.zeros(grid.GetSize()[::-1], bool)
    mask[box] = depth_of(images.points_of(grid, box)) >= 0
    return mask


def write_masks(out, masks):
    for name, (mask, grid) in masks.items():
        images.write(out / f"{name}.nii.gz", images.like(mask.astype(np.uint8), grid), sitk.sitkUInt8)
