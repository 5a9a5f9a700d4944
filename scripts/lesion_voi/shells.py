"""The image round a click along rays, at radii that grow by a constant factor, smoothed in proportion to the radius: what is larger
looks the same, only farther out (pipeline/inference/src/prompted/shells.rs does the same, step for step).

Axes z, y, x; positions in voxels; radii in mm.
"""
import itertools

import numpy as np

RAYS, SHELLS = 48, 36
FIRST_MM, STEP = 1.0, 1.16  # the radius of the first shell, and from each to the next
SMOOTH = 0.2  # sigma of the smoothing, of the radius; of the sigmas below the nearest is taken
SIGMAS_MM = (0.0, 0.7, 1.1, 1.8, 2.8, 4.5, 7.0, 11.0, 18.0, 28.0)
LEAST_SIGMA_MM = 0.35  # which no smoothing counts as
TURNS = tuple(itertools.product((1, -1), repeat=3))  # mirrored rays over which the answer is averaged
CLIP_HU = (-200.0, 300.0)


def sphere(n=RAYS):
    """n directions z, y, x spread evenly over the sphere (a Fibonacci lattice; Gonzalez 2010) [n, 3]."""
    k = np.arange(n) + 0.5
    polar, turn = np.arccos(1 - 2 * k / n), np.pi * (1 + 5**0.5) * k
    return np.stack([np.cos(polar), np.sin(polar) * np.sin(turn), np.sin(polar) * np.cos(turn)], 1)


def radii(first_mm=FIRST_MM):
    return first_mm * STEP ** np.arange(SHELLS)


def level_of(radius_mm):
    """Which of the sigmas a radius is smoothed with."""
    middle = np.sqrt(np.maximum(SIGMAS_MM[:-1], LEAST_SIGMA_MM) * np.array(SIGMAS_MM[1:]))
    return np.searchsorted(middle, SMOOTH * np.asarray(radius_mm))


def clipped(values, modality):
    return np.clip(values, *CLIP_HU) if modality == "CT" else values


def reference(values, modality):
    """What the values are divided by: of MR the mean of those above the mean."""
    return float(values[values > values.mean(dtype=np.float64)].mean(dtype=np.float64)) if modality == "MR" else 1.0


def folded(at, n):
    """Positions beyond an image of n voxels, reflected into it."""
    at = np.abs(at) % max(2 * n - 2, 1)
    return np.where(at > n - 1, 2 * n - 2 - at, at)


def taps(n_in, at, half, reflect):
    """Weights [n_out, n_in] of a triangle round each position, repeated at the edge of the image or reflected beyond it."""
    if not reflect:
        at = np.clip(at, 0, n_in - 1)
        weight = np.maximum(0.0, 1.0 - np.abs(np.arange(n_in)[None] - at[:, None]) / half)
    else:
        beyond = int(np.ceil(max(-at.min(), at.max() - n_in + 1, 0) + half)) + 1
        index = np.arange(-beyond, n_in + beyond)
        far = np.maximum(0.0, 1.0 - np.abs(index[None] - at[:, None]) / half)
        weight = far @ (folded(index, n_in)[:, None] == np.arange(n_in))
    return (weight / weight.sum(1, keepdims=True)).astype(np.float32)


def smoothed(values, spacing, click, sigma, reach_mm, reflect=False):
    """The image on a coarse grid round the click, smoothed by a triangle of that sigma; its first place and its step, in voxels.
    The grid reaches one place beyond the image or the reach, whichever ends first."""
    step, at = np.maximum(1.0, sigma / 1.5 / spacing), np.round(click)
    weights, first = [], np.zeros(3)
    for axis, n_in in enumerate(values.shape):
        far = np.ceil(reach_mm / (step[axis] * spacing[axis])) + 1
        below, above = (min(far, np.ceil((v + 0.5) / step[axis]) + 1) for v in (at[axis], n_in - 1 - at[axis]))
        first[axis] = at[axis] - below * step[axis]
        places = first[axis] + np.arange(int(below + above) + 1) * step[axis]
        weights.append(taps(n_in, places, max(1.0, np.sqrt(6.0) * sigma / spacing[axis]), reflect))
    used = [np.flatnonzero(weight.any(0)) for weight in weights]
    part = tuple(slice(own[0], own[-1] + 1) for own in used)
    z, y, x = (np.ascontiguousarray(weight[:, own]) for weight, own in zip(weights, part))
    whole = np.ascontiguousarray(values[part])
    out = (z @ whole.reshape(len(whole), -1)).reshape(-1, *whole.shape[1:])
    out = np.stack([y @ plane for plane in out])
    return (out.reshape(-1, out.shape[2]) @ x.T).reshape(*out.shape[:2], -1), first, step


def linear(grid, at):
    """Values of a grid at positions [n, 3] within it, linear between its places."""
    low = np.minimum(np.floor(at).astype(int), np.array(grid.shape) - 2)
    share = (at - low).astype(np.float32)
    out = np.zeros(len(at), np.float32)
    for corner in itertools.product((0, 1), repeat=3):
        weight = np.prod([share[:, a] if corner[a] else 1 - share[:, a] for a in range(3)], 0)
        out += weight * grid[tuple((low + corner).T)]
    return out


def sample(values, spacing, click, rays, first_mm=FIRST_MM, reflect=False):
    """Values [ray, shell] round a click, and whether each place lies in the image. Beyond it 0, or what lies reflected there."""
    r = radii(first_mm)
    place = click + rays[:, None] * r[None, :, None] / spacing
    inside = ((place > -0.5) & (place < np.array(values.shape) - 0.5)).all(-1)
    if reflect:
        place = np.stack([folded(place[..., axis], n) for axis, n in enumerate(values.shape)], -1)
    which, got = level_of(r), np.zeros(place.shape[:2], np.float32)
    for level in np.unique(which):
        own = inside | reflect
        own[:, which != level] = False
        if own.any():
            reach = (np.abs(place[own] - click) * spacing).max()
            grid, first, step = smoothed(values, spacing, click, SIGMAS_MM[level], reach, reflect)
            got[own] = linear(grid, (place[own] - first) / step)
    return got, inside
