"""What the program does with a network and a prompt, step for step (pipeline/inference/src/prompted), for trying things out.

Figures that are published are measured with the program itself (scripts/measure_lesion_voi.py).
"""
import numpy as np
import torch
from scipy import ndimage

from .network import CLICK_SIGMA, FIRST_SPACING_MM, SIDE, normalise

SPACING_RANGE_MM = (0.8, 8.0)
FILL = 0.55  # of the cube's side, by the lesion's extent
VIEWS = [((0, 0, 0), ()), ((3, -3, 3), (2,)), ((-3, 3, -3), (1,)), ((3, 3, -3), (0,))]  # shift in voxels, mirrored axes


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


def run(nets, x, modality, mirrored):
    """Mean over networks of the lesion's probability, with the cube mirrored on the way in and out."""
    x = torch.from_numpy(x)[None]
    dims = [2 + a for a in mirrored]
    if dims:
        x = x.flip(dims)
    with torch.no_grad():
        p = torch.stack([torch.sigmoid(net(normalise(x, modality))) for net in nets]).mean(0)
    return (p.flip(dims) if dims else p)[0, 0].numpy()


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


def search(nets, case, click, box, first=None, views=VIEWS[:1], trace=None):
    """The spacing at which the lesion fills its share of the cube."""
    spacing_mm = first or FIRST_SPACING_MM
    if box is not None:
        side = max((box[1][a] - box[0][a]) * case.spacing[a] for a in range(3))
        return float(np.clip(side / (FILL * SIDE), *SPACING_RANGE_MM))
    for _ in range(5):
        p = view(nets, case, click, spacing_mm, views[0], None)[0]
        part = at_click(p > 0.5, np.full(3, SIDE / 2))
        if not part.any():
            wanted = spacing_mm / 1.6
        else:
            where = np.argwhere(part)
            extent = (where.max(0) - where.min(0) + 1).max()
            wanted = extent * spacing_mm / (FILL * SIDE)
            if where.min() == 0 or where.max() == SIDE - 1:
                wanted = max(wanted, spacing_mm * 1.4)
        wanted = float(np.clip(wanted, *SPACING_RANGE_MM))
        if trace is not None:
            trace.append((round(spacing_mm, 2), round(wanted, 2)))
        if abs(np.log(wanted / spacing_mm)) < 0.2:
            break
        spacing_mm = wanted
    return spacing_mm


def view(nets, case, click, spacing_mm, how, box):
    shift, mirrored = how
    x, axes = cube(case.values, case.spacing, click, spacing_mm, shift, box)
    return run(nets, x, case.modality, mirrored), axes


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


def segment(nets, case, click, box=None, first=None, views=None, spacing_mm=None):
    """Mask on the image's grid, mean agreement of the views with it, the spacing."""
    spacing_mm = spacing_mm or search(nets, case, click, box, first)
    all_views = []
    for how in views or VIEWS:
        p, axes = view(nets, case, click, spacing_mm, how, box)
        all_views.append(onto_image(p, axes, case.values.shape))
    mean = np.mean(all_views, 0)
    mask = ndimage.binary_fill_holes(at_click(mean > 0.5, np.asarray(click)))
    agreement = np.mean([dice(at_click(p > 0.5, np.asarray(click)), mask) for p in all_views])
    return mask, float(agreement), spacing_mm, mean
