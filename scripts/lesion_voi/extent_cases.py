"""What the extent network is trained with: clicks on tumours of patients and beside them, drawn once (`draw`), and lesions painted
on the shells of the latter (`painted`), whose size is known whatever the image."""
import concurrent.futures

import numpy as np
import torch
from scipy import ndimage
from torch.nn import functional as F

from . import data
from .extent_network import MODALITIES, scaled
from .shells import FIRST_MM, RAYS, SHELLS, SMOOTH, STEP, clipped, reference, sample, sphere

CLICKS, EMPTY = 150, 60  # on the tumour of each image, and beside it
FINE = 4  # places between two shells at which a ray's end is looked for
PLACES = (5.5, 31.0)  # of half the extent of painted lesions, in shells
SMALL_PLACES = (5.5, 18.0)  # extents of 5 to 30 mm where the first shell lies at 1 mm
SMALL = 0.5  # of the painted lesions
LEAST_OF_BODY = {"CT": -150.0, "MR": 0.15, "PT": 0.1}  # HU, share of the mean, SUV
GRAIN_SPACINGS = ((1, 1, 1), (2, 2, 2), (5, 0.8, 0.8), (3, 0.8, 0.8), (3.3, 2, 2), (1.2, 0.7, 0.7), (3, 4, 4))


def rotation(rng):
    """A random rotation or reflection."""
    q, r = np.linalg.qr(rng.standard_normal((3, 3)))
    return q * np.sign(np.diag(r))


def clicks_in(rng, case):
    """Voxels of the lesion: its deepest (30 %), one of the inner half (40 %), any not at its edge (30 %)."""
    where, deepest = np.argwhere(case.mask), case.depth.max()
    depth, out = case.depth[case.mask], []
    for kind in rng.random(CLICKS):
        if kind < 0.3:
            out.append(case.centre())
        else:
            deep = where[depth >= (0.5 if kind < 0.7 else 0.15) * deepest]
            out.append(deep[rng.integers(len(deep))])
    return np.array(out, float)


def ends_of(mask, spacing, click, rays, first_mm):
    """Place (in shells) of the last fine place of each ray that lies in the mask, 0 where none does."""
    r = first_mm * STEP ** (np.arange((SHELLS - 1) * FINE + 1) / FINE)
    at = np.rint(click + rays[:, None] * r[None, :, None] / spacing).astype(np.int64)
    inside = ((at >= 0) & (at < np.array(mask.shape))).all(-1)
    within = inside & mask[tuple(np.clip(at, 0, np.array(mask.shape) - 1).transpose(2, 0, 1))]
    last = within.shape[-1] - 1 - within[:, ::-1].argmax(-1)
    return np.where(within.any(-1), last, 0) / FINE


def of_image(rng, case, fold):
    """The rows of one image."""
    values = clipped(case.values, case.modality)
    values = values / reference(values, case.modality)
    place = rng.uniform(5, 32, CLICKS)  # where half the extent comes to lie, in shells, as if the lesion had another size
    as_is = rng.random(CLICKS) < 0.4
    first = np.where(as_is, FIRST_MM * np.exp(rng.uniform(-0.3, 0.3, CLICKS)), case.extent_mm / 2 / STEP**place)
    least = LEAST_OF_BODY[case.modality] * (values.mean() if case.modality == "MR" else 1.0)
    body = np.argwhere(~case.mask & (values > least))
    clicks = np.concatenate([clicks_in(rng, case), body[rng.integers(len(body), size=EMPTY)]])
    first = np.concatenate([first, FIRST_MM * np.exp(rng.uniform(-0.5, 2.0, EMPTY))])
    rows = {}
    for n, (click, first_mm) in enumerate(zip(clicks, first)):
        rays, real = sphere() @ rotation(rng), n < CLICKS
        value, _ = sample(values, case.spacing, click, rays, first_mm, reflect=True)
        row = {
            "value": scaled(torch.from_numpy(value), case.modality).numpy().astype(np.float16), "rays": rays.astype(np.float16),
            "ends": ends_of(case.mask, case.spacing, click, rays, first_mm) if real else np.zeros(RAYS),
            "extent": np.log(case.extent_mm / 2 / first_mm) / np.log(STEP) if real else 0.0,
            "real": real, "first_mm": first_mm, "fold": fold, "modality": MODALITIES.index(case.modality),
        }
        for key, v in row.items():
            rows.setdefault(key, []).append(v)
    return {key: np.array(v) for key, v in rows.items()}


def grain(rng):
    """The noise of scanners as shells show it, of unit deviation at the voxel."""
    out = []
    for spacing in np.array(GRAIN_SPACINGS, float):
        shape = np.minimum(np.ceil(120 / spacing), 130).astype(int)
        field = rng.standard_normal(shape).astype(np.float32)
        if spacing[1] < 1:
            field = ndimage.gaussian_filter(field, [0, 0.7, 0.7])
            field /= field.std()
        for _ in range(150):
            click, first_mm = rng.uniform(0.3, 0.7, 3) * shape, FIRST_MM * np.exp(rng.uniform(-0.3, 0.3))
            out.append(sample(field, spacing, click, sphere() @ rotation(rng), first_mm, reflect=True)[0].astype(np.float16))
    return np.stack(out)


def of_patient(root, name, n, fold, seed):
    rngs = [np.random.default_rng([seed, n, m]) for m in range(len(MODALITIES))]
    return [of_image(rng, case, fold) for rng, case in zip(rngs, data.cases(root, [name]))]


def draw(root, path, seed, jobs):
    """Draws all clicks and writes them."""
    rows = []
    with concurrent.futures.ProcessPoolExecutor(jobs) as pool:
        folds = data.fold_of(root)
        parts = [pool.submit(of_patient, root, name, n, fold, seed) for n, (name, fold) in enumerate(folds.items())]
        for name, part in zip(folds, parts):
            rows += part.result()
            print(name, flush=True)
    whole = {key: np.concatenate([part[key] for part in rows]) for key in rows[0]}
    np.savez(path, grain=grain(np.random.default_rng([seed, 1000])), **whole)


def uniform(*size, low=0.0, high=1.0):
    return torch.rand(*size) * (high - low) + low


class Lumps:
    """Lumpy ellipsoids of extent one round the origin, one for each case."""

    def __init__(self, n):
        axes = torch.exp(uniform(n, 3, low=float(np.log(0.5)), high=0.0))
        turn = torch.linalg.qr(torch.randn(n, 3, 3))[0]
        self.matrix = turn / axes[:, None]  # rows of u = x @ matrix
        self.wave, self.phase = torch.randn(n, 4, 3) * 2.5, uniform(n, 4, high=6.28)
        self.height = uniform(n, 1, high=0.13)
        out = torch.from_numpy(sphere(250).astype(np.float32)).expand(n, -1, -1)
        surface = out * self.reach(out)[..., None] @ torch.linalg.inv(self.matrix)
        self.matrix = self.matrix * (surface.amax(1) - surface.amin(1)).amax(-1)[:, None, None]

    def reach(self, direction):
        angle = torch.einsum("nkd,npd->npk", self.wave, direction) + self.phase[:, None]
        return torch.exp((self.height[:, None] * angle.cos()).sum(-1))

    def depth(self, x, extent):
        """About how deep within (mm) each place x [n, p, 3] lies, for lesions of these extents."""
        matrix = self.matrix / extent[:, None, None]
        u = x @ matrix
        rho = u.norm(dim=-1).clamp_min(1e-4)
        step = (u / rho[..., None] @ matrix.transpose(1, 2)).norm(dim=-1)
        return (self.reach(u / rho[..., None]) - rho) / step

    def place(self, extent, most):
        """A place up to this share of the way from the middle to the edge."""
        d = F.normalize(torch.randn(len(extent), 1, 3), dim=-1)
        u = d * self.reach(d)[..., None] * uniform(len(extent), 1, 1, high=most)
        return u @ torch.linalg.inv(self.matrix / extent[:, None, None])


def painted(value, rays, first_mm, modality):
    """Lesions that never were, with look-alikes and cores: values, ends of the rays, half extents (both in shells)."""
    n = len(value)
    shells = first_mm[:, None] * STEP ** torch.arange(SHELLS)
    place = torch.where(uniform(n) < SMALL, uniform(n, low=SMALL_PLACES[0], high=SMALL_PLACES[1]), uniform(n, low=PLACES[0], high=PLACES[1]))
    extent = 2 * first_mm * STEP**place
    x = (rays[:, :, None] * shells[:, None, :, None]).reshape(n, -1, 3)
    blur = ((SMOOTH * shells) ** 2 + (uniform(n, 1, low=0.4, high=2.0) * first_mm[:, None]) ** 2).sqrt()[:, None]
    low, high = torch.where(modality == 0, 0.3, 0.4).log(), torch.where(modality == 0, 3.0, 3.5).log()
    size = torch.exp(low + uniform(n) * (high - low))
    sign = torch.where((modality == 2) | (uniform(n) < 0.5), 1.0, -1.0)
    inner, keep = value[:, :, :24].mean((1, 2)), uniform(n, 1, 1, high=0.8)

    def paint(value, depth, contrast):
        soft = torch.special.ndtr(depth.reshape(value.shape) / blur)
        return value + soft * ((inner + contrast)[:, None, None] + keep * (value - inner[:, None, None]) - value)

    lesion = Lumps(n)
    offset = lesion.place(extent, 0.7) * (uniform(n, 1, 1) > 0.3)
    for _ in range(2):
        some, other = uniform(n) < 0.4, Lumps(n)
        large = extent * torch.exp(uniform(n, low=-1.5, high=0.7))
        away = F.normalize(torch.randn(n, 1, 3), dim=-1) * ((extent + large) * uniform(n, low=0.45, high=1.2))[:, None, None]
        alike = paint(value, other.depth(x + offset - away, large), sign * size * uniform(n, low=0.5, high=1.5))
        value = torch.where(some[:, None, None], alike, value)
    value = paint(value, lesion.depth(x + offset, extent), sign * size)
    core = lesion.depth(x + offset, extent * uniform(n, low=0.3, high=0.75))
    cored = (uniform(n) < 0.3)[:, None, None]
    value = torch.where(cored, paint(value, core, sign * size * uniform(n, low=-0.2, high=1.6)), value)
    fine = first_mm[:, None] * STEP ** (torch.arange((SHELLS - 1) * 2 + 1) / 2)
    within = lesion.depth((rays[:, :, None] * fine[:, None, :, None]).reshape(n, -1, 3) + offset, extent).reshape(n, RAYS, -1) > 0
    last = (within.shape[-1] - 1 - within.flip(-1).float().argmax(-1)) / 2
    return value, torch.where(within.any(-1), last, torch.zeros(())), place


def cut(rays, first_mm):
    """Where there is image: ended at random planes at distances that say nothing of the lesion."""
    n = len(rays)
    at = first_mm[:, None, None] * STEP ** uniform(n, 2, 3, low=8, high=40)
    at = torch.where((uniform(n, 2, 3) < 0.5) & (uniform(n, 1, 1) < 0.7), at, torch.full((), 1e6))
    x = rays[:, :, None] * (first_mm[:, None] * STEP ** torch.arange(SHELLS))[:, None, :, None]
    return ((x < at[:, None, None, 0]) & (x > -at[:, None, None, 1])).all(-1).float()
