"""Cubes cut from real images for training: turned, stretched, shifted, cropped at random so that borders say nothing."""
import numpy as np
import torch
from torch.nn import functional as F

from .borders import borders
from .network import SIDE
from .synthetic import GRID, blob, connected, paint, relative_extent, smooth_noise

SPACING_RANGE_MM = (1.2, 8.0)


class Source:
    """A case with its pyramid as tensors."""

    def __init__(self, case):
        self.case = case
        self.levels = [(mm, torch.from_numpy(np.ascontiguousarray(v))[None, None]) for mm, v in case.pyramid()]
        self.mask = torch.from_numpy(case.mask.astype(np.float32))[None, None]
        self.deepest = float(case.depth.max())
        self.where = np.argwhere(case.mask)

    def values_for(self, spacing_mm):
        return [values for least, values in self.levels if least <= spacing_mm * 1.1][-1]


def click_in(rng, source):
    """A voxel of the lesion: its deepest, one of the inner half, or any not at its edge."""
    case, kind = source.case, rng.random()
    if kind < 0.3:
        return case.centre()
    least = 0.5 if kind < 0.7 else 0.15
    for _ in range(200):
        at = source.where[rng.integers(len(source.where))]
        if case.depth[tuple(at)] >= least * source.deepest:
            return at
    return case.centre()


def turn(rng):
    """A random rotation (small, with quarter turns in plane), mirror and stretch, as a 3 x 3 matrix on z, y, x."""
    matrix = np.diag(rng.choice([-1.0, 1.0], 3) * np.exp(rng.uniform(-0.15, 0.15, 3)))
    for first, second in ((0, 1), (0, 2), (1, 2)):
        angle = rng.normal(0, 0.2) + (rng.integers(4) * np.pi / 2 if (first, second) == (1, 2) else 0.0)
        rotation = np.eye(3)
        rotation[first, first] = rotation[second, second] = np.cos(angle)
        rotation[first, second], rotation[second, first] = -np.sin(angle), np.sin(angle)
        matrix = matrix @ rotation
    return matrix


def places(rng, source, at, spacing_mm, click, matrix):
    """Where in the image (grid_sample's units) each voxel of the cube lies, with the click at `click` of the cube; and whether it
    lies in the image."""
    offset = (GRID - torch.as_tensor(np.asarray(click, np.float32)).reshape(3, 1, 1, 1)) * spacing_mm
    if rng.random() < 0.5:
        bend = smooth_noise(rng, int(rng.integers(1, 4)), 3) * rng.uniform(0, 0.03) * SIDE * spacing_mm
        offset = offset + bend - bend[(slice(None), *[int(c) for c in click])].reshape(3, 1, 1, 1)
    matrix = torch.from_numpy(matrix.astype(np.float32))
    index = (matrix @ offset.reshape(3, -1)).reshape(3, *(SIDE,) * 3)
    index = index / torch.as_tensor(source.case.spacing.astype(np.float32)).reshape(3, 1, 1, 1)
    index = index + torch.as_tensor(np.asarray(at, np.float32)).reshape(3, 1, 1, 1)
    size = torch.tensor(source.case.values.shape, dtype=torch.float32).reshape(3, 1, 1, 1)
    inside = ((index > -0.5) & (index < size - 0.5)).all(0).float()
    place = (2 * index / (size - 1).clamp_min(1) - 1).flip(0).permute(1, 2, 3, 0)[None]
    return place, inside


def other_look(rng, image, modality):
    """The same body on another scanner: level, contrast, noise."""
    noise = torch.from_numpy(rng.standard_normal((SIDE,) * 3).astype(np.float32))
    if modality == "CT":
        return image + rng.normal(0, 6) + rng.uniform(0, 15) * noise
    if modality == "PT":
        return (image * np.exp(rng.normal(0, 0.2)) * (1 + rng.uniform(0, 0.1) * noise)).clamp_min(0)
    low, high = image.min(), image.max()
    unit = ((image - low) / (high - low + 1e-6)).clamp(0, 1) ** float(np.exp(rng.normal(0, 0.15)))
    image = unit * (high - low) + low
    bias = 1 + rng.uniform(0, 0.12) * smooth_noise(rng, 1)[0]
    return image * bias + rng.uniform(0, 0.03) * (high - low) * noise


def spacing_for(rng, case, any_scale):
    """The cube's spacing, at which the tumour takes its share."""
    spacing = case.extent_mm / (SIDE * relative_extent(rng, any_scale))
    return float(np.clip(spacing, SPACING_RANGE_MM[0] / (2 if any_scale else 1), SPACING_RANGE_MM[1]))


def click_place(rng, source, at, spacing, matrix, any_scale):
    """Where in the cube the click lies: near its middle, or, at any scale, often where it must for the tumour's middle to lie there."""
    near = SIDE / 2 + rng.uniform(-0.17, 0.17, 3) * SIDE
    if any_scale and rng.random() < 0.5:
        middle = (source.where.min(0) + source.where.max(0)) / 2
        offset = np.linalg.solve(matrix, (np.asarray(at) - middle) * source.case.spacing) / spacing
        moved = SIDE / 2 + offset + rng.uniform(-0.08, 0.08, 3) * SIDE
        if np.all((moved > 1) & (moved < SIDE - 2)):
            near = moved
    return np.round(near)


def draw(rng, source, any_scale=False):
    """One case of a real tumour."""
    case = source.case
    spacing = spacing_for(rng, case, any_scale)
    at, matrix = click_in(rng, source), turn(rng)
    click = click_place(rng, source, at, spacing, matrix, any_scale)
    place, inside = places(rng, source, at, spacing, click, matrix)
    sample = lambda volume: F.grid_sample(volume, place, mode="bilinear", padding_mode="reflection", align_corners=True)[0, 0]
    image = other_look(rng, sample(source.values_for(spacing)), case.modality)
    target = sample(source.mask) > 0.5
    return image, borders(rng, click), inside, target, click.astype(int), case.modality


def draw_inserted(rng, source, any_scale=False):
    """One case of a synthetic lesion in a real body, away from the patient's own tumour."""
    case = source.case
    extent_mm = float(np.exp(rng.uniform(np.log(5), np.log(60))))
    spacing = float(np.clip(extent_mm / (SIDE * relative_extent(rng, any_scale)), 0.8, 4.5))
    for _ in range(50):
        at = [int(rng.integers(n)) for n in case.values.shape]
        if not case.mask[tuple(at)] and (case.modality != "CT" or case.values[tuple(at)] > -150):
            break
    click = np.round(SIDE / 2 + rng.uniform(-0.17, 0.17, 3) * SIDE)
    place, inside = places(rng, source, at, spacing, click, turn(rng))
    sample = lambda volume: F.grid_sample(volume, place, mode="bilinear", padding_mode="reflection", align_corners=True)[0, 0]
    image = sample(source.values_for(spacing))
    extent = max(3.0, extent_mm / spacing)
    depth = blob(rng, click + rng.uniform(-0.12, 0.12, 3) * extent, extent)
    spread = {"CT": 30.0, "MR": float(image.std()) + 1.0, "PT": float(image.mean()) + 0.3}[case.modality]
    sign = 1.0 if case.modality == "PT" else float(rng.choice([-1, 1]))
    painted = paint(rng, image, depth, sign * spread * float(np.exp(rng.uniform(np.log(0.5), np.log(3.0)))))
    soft = torch.sigmoid(depth * extent / 2 / rng.uniform(0.3, 1.0))
    image = other_look(rng, torch.where(depth > -0.5, image + (painted - image) * soft, image), case.modality)
    target = connected((depth > 0).numpy(), click.astype(int))
    return image, borders(rng, click), inside, torch.from_numpy(target), click.astype(int), case.modality
