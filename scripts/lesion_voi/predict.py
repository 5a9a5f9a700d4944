"""What the program does with a network and a prompt, step for step (pipeline/inference/src/prompted), for trying things out.

Figures that are published are measured with the program itself (scripts/measure_lesion_voi.py).
"""
import numpy as np
import torch
from scipy import ndimage

from . import extent
from .network import CLICK_SIGMA, SIDE, normalise

LOOKS_MM = (0.6, 1.0, 1.6, 2.5, 4.0, 6.3, 10.0)  # spacings at which the size of the lesion is looked for
SPACING_RANGE_MM = (0.4, 10.0)
FILL = 0.6  # of the cube's side, by the lesion's extent
VIEWS = [((0, 0, 0), ()), ((2, -2, 2), (2,)), ((-2, 2, -2), (1,)), ((2, 2, -2), (0,))]  # shift in voxels, mirrored axes


def taps(n_in, at, half):
    """Matrix of the program's resampling along one axis: a triangle round each position, repeated at the edge."""
    at = np.clip(at, 0, n_in - 1)
    weight = np.maximum(0.0, 1.0 - np.abs(np.arange(n_in)[None] - at[:, None]) / half)
    return (weight / weight.sum(1, keepdims=True)).astype(np.float32)


def cube(values, spacing, click, spacing_mm, shift, box=None):
    """The network's input for a cube whose voxel SIDE/2 + shift lies at `click` (index z, y, x), and the cube's positions."""
    places, inside, axes = [], [], []
    for axis in range(3):
        at = click[axis] + (np.arange(SIDE) - SIDE / 2 - shift[axis]) * spacing_mm / spacing[axis]
        places.append(taps(values.shape[axis], at, max(1.0, spacing_mm / spacing[axis])))
        inside.append(((at > -0.5) & (at < values.shape[axis] - 0.5)).astype(np.float32))
        axes.append(at)
    image = np.einsum("ai,bj,ck,ijk->abc", *places, values, optimize=True)
    inside = inside[0][:, None, None] * inside[1][None, :, None] * inside[2][None, None, :]
    steps = [np.exp(-((np.arange(SIDE) - SIDE / 2 - shift[a]) ** 2) / (2 * CLICK_SIGMA**2)) for a in range(3)]
    gaussian = steps[0][:, None, None] * steps[1][None, :, None] * steps[2][None, None, :]
    boxed = np.zeros_like(inside)
    if box is not None:
        within = [((axes[a] >= box[0][a]) & (axes[a] <= box[1][a])).astype(np.float32) for a in range(3)]
        boxed = within[0][:, None, None] * within[1][None, :, None] * within[2][None, None, :]
    return np.stack([image * inside, inside, gaussian, boxed]).astype(np.float32), axes


def view(nets, case, click, spacing_mm, shift=(0, 0, 0), mirrored=(), box=None):
    """Each network's probability of the lesion in a cube, mirrored on the way in and out; and where the cube lies."""
    x, axes = cube(case.values, case.spacing, click, spacing_mm, shift, box)
    x, dims = torch.from_numpy(x)[None], [2 + axis for axis in mirrored]
    x = x.flip(dims) if dims else x
    with torch.no_grad():
        answers = [torch.sigmoid(net(normalise(x, case.modality))) for net in nets]
    return [(p.flip(dims) if dims else p)[0, 0].numpy() for p in answers], axes


def at_click(mask, at):
    """The connected part at a voxel, or the one nearest to it within three voxels; none else."""
    labels, n = ndimage.label(mask)
    if n == 0:
        return np.zeros_like(mask)
    at = tuple(np.clip(np.round(at).astype(int), 0, np.array(mask.shape) - 1))
    if labels[at] == 0:
        low = [max(0, a - 3) for a in at]
        part = labels[tuple(slice(l, a + 4) for l, a in zip(low, at))]
        where = np.argwhere(part > 0)
        if len(where) == 0:
            return np.zeros_like(mask)
        nearest = where[np.argmin(((where + low - np.array(at)) ** 2).sum(1))]
        return labels == part[tuple(nearest)]
    return labels == labels[at]


def coarser(part, ratio):
    """A part of one look on the voxels of another, `ratio` times as large, round the same middle."""
    at = (np.arange(SIDE) - SIDE / 2) * ratio + SIDE / 2
    weights = taps(SIDE, at, max(1.0, ratio)) * ((at > -0.5) & (at < SIDE - 0.5))[:, None]
    return np.einsum("ai,bj,ck,ijk->abc", *[weights] * 3, part.astype(np.float32), optimize=True) > 0.5


def likenesses(parts):
    """Dice of each look's part with the part of the next coarser look; 0 where one has none."""
    pairs = [(parts[n], parts[n + 1], LOOKS_MM[n + 1] / LOOKS_MM[n]) for n in range(len(parts) - 1)]
    return [dice(coarser(fine, ratio), coarse) if fine.any() and coarse.any() else 0.0 for fine, coarse, ratio in pairs]


def best_look(means, parts):
    """The look that is surest of its part and whose neighbours, finer and coarser, see the same: what is really there keeps its size,
    what is guessed grows with the cube. A part that reaches the cube's end does not count; where there is no other, the coarsest
    look with a part. And the looks to average: it and the next coarser one."""
    alike, best = likenesses(parts), None
    for n, (p, part) in enumerate(zip(means, parts)):
        where = np.argwhere(part)
        if len(where) == 0 or where.min() == 0 or where.max() == SIDE - 1:
            continue
        sure = 2 * float(p[part].sum(dtype=np.float64)) / (float(p.sum(dtype=np.float64)) + len(where))
        beside = alike[max(0, n - 1):n + 1]
        score = (sure + sum(beside)) / (1 + len(beside))
        if best is None or score > best[0]:
            best = (score, n)
    n = best[1] if best else max((n for n, part in enumerate(parts) if part.any()), default=None)
    if n is None:
        return None, ()
    return n, (n, n + 1) if best and n + 1 < len(parts) and parts[n + 1].any() else (n,)


def shift_to(middle_mm, spacing_mm):
    """How many voxels beyond the cube's middle the click must lie for a lesion's middle, in mm from the click, to lie there."""
    return np.clip(np.round(-np.asarray(middle_mm) / spacing_mm), 3 - SIDE // 2, SIDE // 2 - 4).astype(int)


def search(nets, case, click, box=None, extents=()):
    """The spacing at which the lesion fills its share of the cube, the shift that brings its middle to the cube's, the looks kept."""
    if box is not None:
        side = max((box[1][a] - box[0][a]) * case.spacing[a] for a in range(3))
        return float(np.clip(side / (FILL * SIDE), *SPACING_RANGE_MM)), np.zeros(3, int), []
    if extents:
        shown = extent.shown(case.values, case.spacing, click, case.modality)
        found = extent.reading(extent.likelihoods(extents, shown))
        spacing_mm = float(np.clip(found["extent_mm"] / (FILL * SIDE), *SPACING_RANGE_MM))
        return spacing_mm, shift_to((found["low"] + found["high"]) / 2, spacing_mm), []
    looks = [view(nets, case, click, mm) for mm in LOOKS_MM]
    means = [np.mean(answers, 0) for answers, _ in looks]
    parts = [at_click(p > 0.5, np.full(3, SIDE / 2)) for p in means]
    n, kept = best_look(means, parts)
    if n is None:
        return LOOKS_MM[len(LOOKS_MM) // 2], np.zeros(3, int), []
    where = np.argwhere(parts[n])
    low, high = where.min(0), where.max(0)
    spacing_mm = float(np.clip((high - low + 1).max() * LOOKS_MM[n] / (FILL * SIDE), *SPACING_RANGE_MM))
    shift = shift_to(((low + high) / 2 - SIDE / 2) * LOOKS_MM[n], spacing_mm)
    return spacing_mm, shift, [looks[n] for n in kept]


def onto_image(p, axes, shape):
    """Probabilities of a cube on the image's grid, linear between voxels, 0 beyond the cube."""
    weights = []
    for axis in range(3):
        step = axes[axis][1] - axes[axis][0]
        at = (np.arange(shape[axis]) - axes[axis][0]) / step
        inside = (at >= -0.5) & (at <= SIDE - 0.5)
        at = np.clip(at, 0, SIDE - 1)
        weights.append(np.maximum(0.0, 1.0 - np.abs(np.arange(SIDE)[None] - at[:, None])) * inside[:, None])
    return np.einsum("ai,bj,ck,ijk->abc", *weights, p, optimize=True)


def dice(a, b):
    total = a.sum() + b.sum()
    return 1.0 if total == 0 else 2.0 * (a & b).sum() / total


def segment(nets, case, click, box=None, extents=()):
    """Mask on the image's grid, mean agreement of every network in every view with it, the spacing, the mean probability."""
    spacing_mm, middle, seen = search(nets, case, click, box, extents)
    views = []
    for shift, mirrored in VIEWS:
        shift = np.clip(middle + np.array(shift), 2 - SIDE // 2, SIDE // 2 - 3)
        views.append(view(nets, case, click, spacing_mm, shift, mirrored, box))
    maps = [onto_image(p, axes, case.values.shape) for answers, axes in views + seen for p in answers]
    mean = np.mean(maps, 0)
    mask = ndimage.binary_fill_holes(at_click(mean > 0.5, np.asarray(click)))
    agreement = np.mean([dice(at_click(p > 0.5, np.asarray(click)), mask) for p in maps])
    return mask, float(agreement), spacing_mm, mean
