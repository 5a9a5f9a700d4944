"""Lesions that never were: random tissues, a random lesion, look-alikes beside it, a random scanner. Drawn on the cube itself."""
import numpy as np
import torch
from torch.nn import functional as F

from .borders import borders
from .network import CLICK_SIGMA, SIDE


def smooth_noise(rng, cells, n=1):
    """Noise of unit size, n fields [n, z, y, x] with about `cells` bumps along each side."""
    coarse = torch.from_numpy(rng.standard_normal((1, n, cells + 2, cells + 2, cells + 2)).astype(np.float32))
    field = F.interpolate(coarse, size=(SIDE,) * 3, mode="trilinear", align_corners=True)[0]
    return field / field.std((1, 2, 3), keepdim=True).clamp_min(1e-6)


def grid():
    axis = torch.arange(SIDE, dtype=torch.float32)
    return torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"))


GRID = grid()


def click_channel(at):
    """A Gaussian round a point given in voxels z, y, x of the cube."""
    at = torch.as_tensor(np.asarray(at, np.float32)).reshape(3, 1, 1, 1)
    return torch.exp(-((GRID - at) ** 2).sum(0) / (2 * CLICK_SIGMA**2))


def blob(rng, centre, extent):
    """How deep inside a random lumpy ellipsoid each voxel lies: positive inside, about 1 at its centre; extent in voxels."""
    radii = extent / 2 * np.exp(rng.uniform(np.log(0.55), 0.0, 3)).astype(np.float32)
    radii[rng.integers(3)] = extent / 2
    turn, _ = np.linalg.qr(rng.standard_normal((3, 3)))
    matrix = torch.from_numpy((turn / radii[None]).T.astype(np.float32))
    offset = (GRID - torch.as_tensor(np.asarray(centre, np.float32)).reshape(3, 1, 1, 1)).reshape(3, -1)
    distance = (matrix @ offset).square().sum(0).sqrt().reshape((SIDE,) * 3)
    lumps = rng.uniform(0.0, 0.35) * smooth_noise(rng, int(np.clip(round(SIDE * 2.0 / extent), 1, 14)))[0]
    return 1.0 - distance + lumps * (distance > 0.3)


def tissues(rng):
    """A body of smooth regions, each with its own mean and grain."""
    kinds = int(rng.integers(1, 7))
    fields = smooth_noise(rng, int(rng.integers(1, 6)), kinds)
    which, best = torch.zeros((SIDE,) * 3, dtype=torch.long), fields[0]
    for kind in range(1, kinds):  # argmax, but faster
        which = torch.where(fields[kind] > best, kind, which)
        best = torch.maximum(best, fields[kind])
    mean = torch.from_numpy(rng.normal(0, 1, kinds).astype(np.float32))
    grain = torch.from_numpy((rng.uniform(0, 0.25, kinds)).astype(np.float32))
    return mean[which] + grain[which] * smooth_noise(rng, int(rng.integers(6, 20)))[0]


def paint(rng, image, depth, contrast):
    """The lesion's own values, with a core, a rim or a grain at times."""
    inside = depth > 0
    level = image[inside].mean() if inside.any() else image.mean()
    value = (level + contrast) * torch.ones_like(image)
    if rng.random() < 0.3:
        value = torch.where(depth > rng.uniform(0.2, 0.7), value - contrast * rng.uniform(0.2, 1.3), value)
    if rng.random() < 0.6:
        value = value + abs(contrast) * rng.uniform(0, 0.5) * smooth_noise(rng, int(rng.integers(2, 12)))[0]
    return torch.where(inside, value, image)


def scanner(rng, image):
    """Blur along each axis (thick slices along one), then noise with a grain."""
    for axis in range(3):
        width = rng.uniform(0.3, 1.0) * (rng.uniform(1, 3) if axis == 0 and rng.random() < 0.5 else 1.0)
        reach = int(np.ceil(2.5 * width))
        weight = np.exp(-0.5 * (np.arange(-reach, reach + 1) / width) ** 2)
        shape = [1, 1, 1]
        shape[axis] = 2 * reach + 1
        weight = torch.from_numpy((weight / weight.sum()).astype(np.float32)).reshape(1, 1, *shape)
        pad = [0] * 6
        pad[2 * (2 - axis)] = pad[2 * (2 - axis) + 1] = reach
        image = F.conv3d(F.pad(image[None, None], pad, mode="replicate"), weight)[0, 0]
    noise = torch.from_numpy(rng.standard_normal((SIDE,) * 3).astype(np.float32))
    if rng.random() < 0.5:
        noise = F.avg_pool3d(noise[None, None], 3, 1, 1)[0, 0] * 4.0
    return image + rng.uniform(0.0, 0.35) * noise


def relative_extent(rng, any_scale):
    """How much of the cube's side a lesion takes: mostly about half, at times a speck or more than all. At any scale the cube
    often lies wholly inside the lesion, as it does where the program begins to look."""
    kind = rng.random()
    if kind < (0.8 if any_scale else 0.7):
        return rng.uniform(0.3, 0.9) if any_scale else rng.uniform(0.35, 0.8)
    if not any_scale:
        low, high = 0.15, 1.6
    else:
        low, high = (0.9, 3.0) if kind < 0.94 else (0.12, 0.3)
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def connected(mask, at):
    """The part of a mask that hangs together with a voxel."""
    from scipy import ndimage

    labels, _ = ndimage.label(mask)
    label = labels[tuple(at)]
    return labels == label if label else np.zeros_like(mask)


def draw(rng, any_scale=False):
    """One case: raw image [z, y, x], where there is image, where its values are true, target, click in voxels, and the modality
    whose normalisation it gets."""
    extent = max(3.0, relative_extent(rng, any_scale) * SIDE)
    centre = SIDE / 2 + rng.uniform(-0.2, 0.2, 3) * SIDE
    depth = blob(rng, centre, extent)
    image = tissues(rng)
    for _ in range(int(rng.integers(0, 5))):  # look-alikes
        other = blob(rng, rng.uniform(0, SIDE, 3), rng.uniform(3, 0.6 * SIDE))
        image = paint(rng, image, torch.where(depth > -0.15, -1.0, other), rng.choice([-1, 1]) * rng.uniform(0.4, 2.5))
    contrast = rng.choice([-1, 1]) * np.exp(rng.uniform(np.log(0.35), np.log(3.0)))
    image = scanner(rng, paint(rng, image, depth, float(contrast)))
    inner = np.argwhere((depth > rng.uniform(0.05, 0.7)).numpy())
    at = inner[rng.integers(len(inner))] if len(inner) else np.round(centre).astype(int)
    at = np.clip(at, 0, SIDE - 1)
    target = torch.from_numpy(connected((depth > 0).numpy(), at))
    modality = ["CT", "MR", "PT"][int(rng.integers(3))]
    if modality == "CT":
        image = image * rng.uniform(20, 60) + rng.uniform(-60, 110)
    elif modality == "PT":
        image = (image - image.min() + 0.1) * rng.uniform(0.2, 2.5)
    else:
        image = image * 100 + 300
    return image, borders(rng, at), torch.ones_like(image), target, at, modality
