"""Training of the extent network for one fold. Resumable; what step k sees depends on the seed, the fold and k alone."""
import numpy as np
import torch
from torch.nn import functional as F

from .extent_cases import cut, painted, uniform
from .extent_network import ExtentNet, features
from .run import Run
from .shells import SHELLS

BATCH, PAINTED = 24, 0.55
SOFT = 1.0  # of the labels, in shells
NOISE = (0.6, 0.35, 0.4)  # the most, of CT, MR, PET, in scaled values


class Pool:
    """The clicks a fold may see."""

    def __init__(self, path, fold):
        pool = np.load(path)
        self.grain, seen = torch.from_numpy(pool["grain"]), pool["fold"] != fold
        self.rows = {key: torch.from_numpy(pool[key][seen]) for key in pool.files if key not in ("grain", "fold")}
        self.real, self.empty = (torch.nonzero(self.rows["real"] == flag)[:, 0] for flag in (True, False))

    def take(self, which):
        keys = ("value", "rays", "first_mm", "modality", "ends", "extent")
        return [v.float() if v.is_floating_point() else v for v in (self.rows[key][which] for key in keys)]

    def batch(self):
        n, paint = BATCH, int(round(BATCH * PAINTED))
        real = self.take(self.real[torch.randint(len(self.real), (n - paint,))])
        value, rays, first_mm, modality, _, _ = self.take(self.empty[torch.randint(len(self.empty), (paint,))])
        value, ends, extent = painted(value, rays, first_mm, modality)
        both = zip(real, (value, rays, first_mm, modality, ends, extent))
        value, rays, first_mm, modality, ends, extent = (torch.cat(pair) for pair in both)
        one = lambda: uniform(n, 1, 1)
        value = value * torch.exp(0.15 * torch.randn(n, 1, 1)) + 0.15 * torch.randn(n, 1, 1)
        noise = self.grain[torch.randint(len(self.grain), (n,))].float()
        value = value + noise * torch.tensor(NOISE)[modality][:, None, None] * one() * (one() < 0.75)
        rays_of = slice(int(torch.randint(2, ())), None, 2)  # every other ray: half the work
        value, rays, ends = value[:, rays_of], rays[:, rays_of], ends[:, rays_of]
        return features(value, cut(rays, first_mm), modality), ends, extent


def soft_labels(at):
    away = torch.arange(SHELLS) - at[..., None]
    return F.softmax(-(away**2) / (2 * SOFT**2), -1)


def losses(net, x, ends, extent):
    """Cross-entropy of the rays' ends, where they can be seen, and of the extent, which counts less where most ends cannot."""
    inside = x[:, 6]
    whole, rays = net(x)
    upto = ends.round().long().add(2).clamp(0, SHELLS - 1)
    visible = inside.gather(2, upto[..., None])[..., 0]
    counts = visible * (ends > 0) * (ends < SHELLS - 1.5)
    ray = -(soft_labels(ends) * F.log_softmax(rays, -1)).sum(-1)
    sure = torch.where(visible.mean(1) > 0.7, 1.0, 0.15) * ((extent > 0) & (extent < SHELLS - 1))
    whole = -(soft_labels(extent) * F.log_softmax(whole, -1)).sum(-1)
    return (ray * counts).sum() / counts.sum().clamp_min(1), (whole * sure).sum() / sure.sum().clamp_min(1)


class Sizing(Run):
    """Of the network that finds the extent."""

    FIGURES = ("ray", "extent")
    WEIGHT_DECAY, EMA_DECAY, WARM_STEPS, SAVED_EVERY = 1e-2, 0.995, 50, 250

    def __init__(self, path, settings):
        torch.manual_seed(settings["seed"])
        super().__init__(path, settings, ExtentNet())

    def losses(self, pool):
        torch.manual_seed(self.settings["seed"] * 1_000_003 + (self.settings["fold"] + 2) * 100_003 + self.step)
        ray, whole = losses(self.net, *pool.batch())
        return ray + whole, (ray, whole)
