"""Training: first on synthetic cases alone, then for each fold on the patients it may see. Resumable; what step k sees
depends on the seed, the fold and k alone."""
import copy
import json
import pathlib
import time

import numpy as np
import torch
from torch.nn import functional as F

from . import data, sampling, synthetic
from .network import VoiNet, normalise

BATCH = 2
EMA_DECAY = 0.997
REAL, INSERTED = 0.65, 0.15  # of the cases of a fold; the rest is synthetic
BOX = 0.25


def box_channel(rng, target):
    """The box a reader would draw round the target, a little off on each side."""
    box = torch.zeros(target.shape)
    where = np.argwhere(target.numpy())
    low, high = where.min(0), where.max(0) + 1
    slack = 0.1 * (high - low)
    low = np.round(low + rng.uniform(-1, 1, 3) * slack).astype(int).clip(0)
    high = np.maximum(np.round(high + rng.uniform(-1, 1, 3) * slack).astype(int), low + 1)
    box[low[0]:high[0], low[1]:high[1], low[2]:high[2]] = 1
    return box


def assemble(rng, drawn):
    """The network's input, the target and where the loss counts."""
    image, inside, true, target, click, modality = drawn
    box = torch.zeros(target.shape)
    if rng.random() < BOX and target.any():
        box = box_channel(rng, target)
    x = torch.stack([image * inside, inside, synthetic.click_channel(click), box])[None]
    return normalise(x, modality), target.float()[None, None], (inside * true)[None, None]


def draw(rng, sources, any_scale):
    """One case with a target."""
    while True:
        kind = rng.random()
        if not sources or kind >= REAL + INSERTED:
            drawn = synthetic.draw(rng, any_scale)
        elif kind < REAL:
            drawn = sampling.draw(rng, sources[rng.integers(len(sources))], any_scale)
        else:
            drawn = sampling.draw_inserted(rng, sources[rng.integers(len(sources))], any_scale)
        if drawn[3].any():
            return assemble(rng, drawn)


def loss_of(logits, target, inside):
    """Cross-entropy plus one minus soft Dice of each case, where there is image."""
    entropy = (F.binary_cross_entropy_with_logits(logits, target, reduction="none") * inside).sum() / inside.sum()
    p, t = torch.sigmoid(logits) * inside, target * inside
    overlap = (p * t).sum((1, 2, 3, 4))
    dice = (2 * overlap + 10) / (p.sum((1, 2, 3, 4)) + t.sum((1, 2, 3, 4)) + 10)
    return entropy + (1 - dice).mean(), dice.mean()


def without_place(settings):
    """What makes two runs the same one; where the start lies on the disk does not."""
    return {key: value for key, value in settings.items() if key != "start"}


class Run:
    """A network with its optimiser, its averaged copy and its place in the schedule."""

    def __init__(self, path, settings):
        self.path, self.settings, self.step, self.log = pathlib.Path(path), settings, 0, []
        torch.manual_seed(settings["seed"])
        self.net = VoiNet().to(memory_format=torch.channels_last_3d)
        if settings.get("start"):
            self.net.load_state_dict(torch.load(settings["start"], weights_only=True)["average"])
        self.average = copy.deepcopy(self.net)
        self.optimiser = torch.optim.AdamW(self.net.parameters(), lr=settings["rate"], weight_decay=1e-3)
        if self.path.exists():
            state = torch.load(self.path, weights_only=True)
            if without_place(state["settings"]) != without_place(settings):
                raise SystemExit(f"{path} was begun with other settings: {state['settings']}")
            self.net.load_state_dict(state["net"])
            self.average.load_state_dict(state["average"])
            self.optimiser.load_state_dict(state["optimiser"])
            self.step, self.log = state["step"], state["log"]

    def save(self):
        state = {
            "settings": self.settings, "step": self.step, "log": self.log, "net": self.net.state_dict(),
            "average": self.average.state_dict(), "optimiser": self.optimiser.state_dict(),
        }
        torch.save(state, self.path.with_suffix(".new"))
        self.path.with_suffix(".new").rename(self.path)

    def rate(self):
        steps = self.settings["steps"]
        warm = min(1.0, (self.step + 1) / 100)
        return float(self.settings["rate"] * warm * (0.02 + 0.98 * 0.5 * (1 + np.cos(np.pi * self.step / steps))))

    def one_step(self, sources):
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate()
        rng = np.random.default_rng([self.settings["seed"], self.settings["fold"] + 1, self.step])
        parts = [draw(rng, sources, self.settings.get("any_scale", False)) for _ in range(BATCH)]
        x, target, inside = (torch.cat(p) for p in zip(*parts))
        loss, dice = loss_of(self.net(x.contiguous(memory_format=torch.channels_last_3d)), target, inside)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 5.0)
        self.optimiser.step()
        self.step += 1
        decay = min(EMA_DECAY, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for mean, now in zip(self.average.parameters(), self.net.parameters()):
                mean.lerp_(now, 1 - decay)
        return float(loss.detach()), float(dice.detach())


def train(run, sources, until, minutes):
    """Steps until `until`, the end of the schedule or the end of the time given; saved every 100."""
    began, losses = time.time(), []
    until = min(until or run.settings["steps"], run.settings["steps"])
    while run.step < until and (time.time() - began) < 60 * minutes:
        losses.append(run.one_step(sources))
        if run.step % 100 == 0:
            loss, dice = np.mean(losses, 0)
            run.log.append([run.step, round(float(loss), 4), round(float(dice), 4)])
            print(json.dumps({"fold": run.settings["fold"], "step": run.step, "loss": round(float(loss), 3),
                              "dice": round(float(dice), 3), "seconds": round(time.time() - began)}), flush=True)
            losses = []
            run.save()
    run.save()


def sources_of(root, fold):
    """The patients a fold may see: all but its own; every one for fold -2, none for -1 (synthetic cases alone)."""
    if fold == -1:
        return [], []
    names = [name for name, own in data.fold_of(root).items() if own != fold]
    return [sampling.Source(case) for case in data.cases(root, names)], names
