"""The network that reads from the shells round a click how far the lesion under it reaches.

Input [n, 2, ray, shell] float32: value (HU clipped, SUVbw, or MR over its reference), inside the image (0 or 1); n turns of the
rays round one click. Output [n, 1 + ray, shell]: the likelihood of half the lesion's extent, and of where each ray leaves it,
over the shells. The layers run along the radius and are the same at every radius: nothing tells them how large a lesion is but
what lies round it.
"""
import torch
from torch import nn
from torch.nn import functional as F

from .shells import SHELLS, STEP

MODALITIES = ("CT", "MR", "PT")
WIDTH = 24


def scaled(value, modality):
    """Values such that differences of about one are seen: 50 HU, or a factor of about two."""
    if modality == "CT":
        return value / 50.0
    if modality == "MR":
        return 2.0 * torch.log(value.clamp_min(0) + 0.1)
    return 1.5 * torch.log(value.clamp_min(0) + 0.3)


def half(x, by=5):
    """What lies within half the radius (1.16^5 is 2.1), at each shell."""
    return torch.cat([x[:, :1].expand(-1, by), x[:, :-by]], 1)


def features(value, inside, modality):
    """What each shell of each ray shows beside what lies within half its radius [n, 10, ray, shell]; nothing tells the radius.
    modality: the number of each case's, [n]."""
    value = value * inside
    count = inside.sum(1).clamp_min(1e-3)
    shell, square = value.sum(1) / count, (value * value).sum(1) / count
    volume = STEP ** (3.0 * (torch.arange(SHELLS, dtype=torch.float32) - SHELLS))
    weight = volume * (inside.sum(1) / value.shape[1])
    weight = torch.cat([weight[:, :1] + 1e-9, weight[:, 1:]], 1)
    total = weight.cumsum(1).clamp_min(1e-12)
    ball = (weight * shell).cumsum(1) / total
    spread = ((weight * square).cumsum(1) / total - ball**2).clamp_min(0).sqrt()
    within, wider = half(ball)[:, None], half(ball, 10)[:, None]
    along = torch.cat([torch.zeros_like(value[..., :1]), value[..., 1:] - value[..., :-1]], -1)
    fixed = value * (modality != 1).float()[:, None, None]  # MR has no fixed scale
    kind = F.one_hot(modality, 3).float()[:, :, None, None].expand(-1, -1, *value.shape[1:])
    wide = lambda x: x.expand_as(value)
    stack = [value - within, 2 * along, fixed / 2, wide(half(spread)[:, None]), wide(within - wider), value - shell[:, None]]
    return torch.cat([torch.stack([s.clamp(-4, 4) * inside for s in stack] + [inside], 1), kind], 1)


class Along(nn.Module):
    """A convolution along the radius, the same at each; the ends repeated, so that they tell no place."""

    def __init__(self, n_in, n_out, dilation=1):
        super().__init__()
        self.conv, self.reach, self.same = nn.Conv1d(n_in, n_out, 3, dilation=dilation), dilation, n_in == n_out

    def forward(self, x):
        y = F.relu(self.conv(F.pad(x, (self.reach, self.reach), mode="replicate")))
        return x + y if self.same else y


def pool(x, n):
    """Mean, largest and deviation over the rays of each case."""
    x = x.reshape(n, -1, *x.shape[1:])
    return torch.cat([x.mean(1), x.amax(1), (x.var(1, unbiased=False) + 1e-4).sqrt()], 1)


class ExtentNet(nn.Module):
    """Each ray, then all rays, then each ray again: logits of half the extent [n, shell] and of each ray's end [n, ray, shell]."""

    def __init__(self, width=WIDTH):
        super().__init__()
        three = lambda n_in, n_out, by=(1, 2, 4): nn.Sequential(
            Along(n_in, n_out, by[0]), Along(n_out, n_out, by[1]), Along(n_out, n_out, by[2])
        )
        self.first = three(10, width)
        self.joint = three(3 * width, 2 * width)
        self.back = nn.Conv1d(2 * width, width, 1)
        self.second = three(2 * width, width)
        self.end = nn.Conv1d(width, 1, 1)
        self.whole = three(5 * width, 2 * width, (1, 4, 8))
        self.extent = nn.Conv1d(2 * width, 1, 1)

    def forward(self, x):
        n, _, rays, shells = x.shape
        x = self.first(x.transpose(1, 2).reshape(n * rays, -1, shells))
        joint = self.joint(pool(x, n))
        back = self.back(joint)[:, None].expand(-1, rays, -1, -1).reshape(n * rays, -1, shells)
        x = self.second(torch.cat([x, back], 1))
        whole = self.whole(torch.cat([pool(x, n), joint], 1))
        return self.extent(whole)[:, 0], self.end(x).reshape(n, rays, shells)


class Extent(nn.Module):
    """What is exported: scaling and features for one modality, the layers, likelihoods."""

    def __init__(self, net, modality):
        super().__init__()
        self.net, self.modality = net, modality

    def forward(self, shells):
        value, inside = shells[:, 0], shells[:, 1]
        kind = torch.full((shells.shape[0],), MODALITIES.index(self.modality))
        extent, ends = self.net(features(scaled(value, self.modality), inside, kind))
        return torch.softmax(torch.cat([extent[:, None], ends], 1), -1)
