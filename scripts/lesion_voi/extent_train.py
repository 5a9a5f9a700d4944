"""Training of the extent network for one fold. Resumable; what step k sees depends on the seed, the fold and k alone."""
import copy
import json
import pathlib
import time

import numpy as np
import torch
from torch.nn import functional as F

from .extent_cases import cut, painted, uniform
from .extent_network import ExtentNet, features
from .shells import SHELLS

BATCH, PAINTED = 24, 0.55
SOFT = 1.0  # of the labels, in shells
NOISE = (0.6, 0.35, 0.4)  # the most, of CT, MR, PET, in scaled values
EMA_DECAY = 0.995


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


class Run:
    """A network with its optimiser, its averaged copy and its place in the schedule."""

    def __init__(self, path, settings):
        self.path, self.settings, self.step, self.log = pathlib.Path(path), settings, 0, []
        torch.manual_seed(settings["seed"])
        self.net = ExtentNet()
        self.average = copy.deepcopy(self.net)
        self.optimiser = torch.optim.AdamW(self.net.parameters(), lr=settings["rate"], weight_decay=1e-2)
        if self.path.exists():
            state = torch.load(self.path, weights_only=True)
            if state["settings"] != settings:
                raise SystemExit(f"{path} was begun with other settings: {state['settings']}")
            for name in ("net", "average", "optimiser"):
                getattr(self, name).load_state_dict(state[name])
            self.step, self.log = state["step"], state["log"]

    def save(self):
        parts = {name: getattr(self, name).state_dict() for name in ("net", "average", "optimiser")}
        torch.save({"settings": self.settings, "step": self.step, "log": self.log, **parts}, self.path.with_suffix(".new"))
        self.path.with_suffix(".new").rename(self.path)

    def one_step(self, pool):
        done = self.step / self.settings["steps"]
        for group in self.optimiser.param_groups:
            group["lr"] = self.settings["rate"] * min(1, (self.step + 1) / 50) * float(0.02 + 0.49 * (1 + np.cos(np.pi * done)))
        torch.manual_seed(self.settings["seed"] * 1_000_003 + (self.settings["fold"] + 2) * 100_003 + self.step)
        ray, whole = losses(self.net, *pool.batch())
        self.optimiser.zero_grad(set_to_none=True)
        (ray + whole).backward()
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 5.0)
        self.optimiser.step()
        self.step += 1
        decay = min(EMA_DECAY, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for mean, now in zip(self.average.parameters(), self.net.parameters()):
                mean.lerp_(now, 1 - decay)
        return float(ray.detach()), float(whole.detach())


def train(run, pool, until, minutes):
    """Steps until `until`, the end of the schedule or the end of the time given; saved every 250."""
    began, seen = time.time(), []
    until = min(until or run.settings["steps"], run.settings["steps"])
    while run.step < until and (time.time() - began) < 60 * minutes:
        seen.append(run.one_step(pool))
        if run.step % 250 == 0:
            ray, whole = np.mean(seen, 0).round(3)
            run.log.append([run.step, float(ray), float(whole)])
            print(json.dumps({"fold": run.settings["fold"], "step": run.step, "ray": float(ray), "extent": float(whole),
                              "seconds": round(time.time() - began)}), flush=True)
            seen = []
            run.save()
    run.save()
