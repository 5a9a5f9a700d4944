"""Training: first on synthetic cases alone, then for each fold on the patients it may see. Resumable; what step k sees
depends on the seed, the fold and k alone."""
import numpy as np
import torch
from torch.nn import functional as F

from . import data, sampling, synthetic
from .network import VoiNet, normalise
from .run import Run

BATCH = 2
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


class Outlining(Run):
    """Of the network that outlines."""

    FIGURES = ("loss", "dice")

    def __init__(self, path, settings):
        torch.manual_seed(settings["seed"])
        super().__init__(path, settings, VoiNet().to(memory_format=torch.channels_last_3d))

    def losses(self, sources):
        rng = np.random.default_rng([self.settings["seed"], self.settings["fold"] + 1, self.step])
        parts = [draw(rng, sources, self.settings.get("any_scale", False)) for _ in range(BATCH)]
        x, target, inside = (torch.cat(p) for p in zip(*parts))
        loss, dice = loss_of(self.net(x.contiguous(memory_format=torch.channels_last_3d)), target, inside)
        return loss, (loss, dice)


def sources_of(root, fold):
    """The patients a fold may see: all but its own; every one for fold -2, none for -1 (synthetic cases alone)."""
    if fold == -1:
        return [], []
    names = [name for name, own in data.fold_of(root).items() if own != fold]
    return [sampling.Source(case) for case in data.cases(root, names)], names
