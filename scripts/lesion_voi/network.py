"""The network: a 3-D U-Net on a cube round a click, with the normalisation of the image inside.

Input [n, 4, z, y, x] float32: value (HU, SUVbw or MR units), inside the image (0 or 1), click (a Gaussian of ten
voxels), box (1 inside it, 0 where none was given). Output [n, 1, z, y, x]: logits of the lesion under the click.
"""
import torch
from torch import nn

SIDE = 40  # voxels of the cube
CLICK_SIGMA = 10.0  # voxels
CHANNELS = (8, 20, 48, 112)
MODALITIES = ("CT", "MR", "PT")


class Norm(nn.InstanceNorm3d):
    """Instance normalisation; while training in plain operations, which take a fifth less time on a processor."""

    def forward(self, x):
        if not self.training:
            return super().forward(x)
        mean = x.mean((2, 3, 4), keepdim=True)
        away = x - mean
        scale = torch.rsqrt(away.square().mean((2, 3, 4), keepdim=True) + self.eps)
        shape = (1, -1, 1, 1, 1)
        return away * (scale * self.weight.reshape(shape)) + self.bias.reshape(shape)


def block(n_in, n_out, stride=1):
    return nn.Sequential(
        nn.Conv3d(n_in, n_out, 3, stride=stride, padding=1, bias=False),
        Norm(n_out, affine=True),
        nn.LeakyReLU(0.01, inplace=True),
    )


class VoiNet(nn.Module):
    """Four levels; the deepest sees nearly the whole cube at once."""

    def __init__(self, n_in=6):
        super().__init__()
        c = CHANNELS
        self.enter = nn.Sequential(block(n_in, c[0]), block(c[0], c[0]))
        self.down = nn.ModuleList(
            nn.Sequential(block(c[n], c[n + 1], stride=2), block(c[n + 1], c[n + 1])) for n in range(len(c) - 1)
        )
        levels = list(reversed(range(len(c) - 1)))
        self.up = nn.ModuleList(nn.ConvTranspose3d(c[n + 1], c[n], 2, stride=2) for n in levels)
        self.join = nn.ModuleList(block(2 * c[n], c[n]) for n in levels)
        self.leave = nn.Conv3d(c[0], 1, 1)

    def forward(self, x):
        levels = [self.enter(x)]
        for down in self.down:
            levels.append(down(levels[-1]))
        x = levels.pop()
        for up, join in zip(self.up, self.join):
            x = join(torch.cat([up(x), levels.pop()], 1))
        return self.leave(x)


def weighted(value, weight):
    """Mean and standard deviation of each case under a weight."""
    total = weight.sum((2, 3, 4), keepdim=True).clamp_min(1e-6)
    mean = (value * weight).sum((2, 3, 4), keepdim=True) / total
    variance = ((value - mean) ** 2 * weight).sum((2, 3, 4), keepdim=True) / total
    return mean, variance.clamp_min(0).sqrt()


def normalise(x, modality):
    """The six channels the layers see: the value on a fixed scale, the value beside that under the click, and the prompts.

    What lies at the click and round it is weighed by distance from the click, so that where the cube or the image ends
    hardly moves it.
    """
    value, inside, click, box = torch.split(x, 1, 1)
    wide = click * inside
    near = click**25 * inside  # a Gaussian of two voxels
    if modality == "CT":
        value = value.clamp(-200.0, 300.0)
        fixed = (value - 50.0) / 100.0
        mean, _ = weighted(value, near)
        _, spread = weighted(value, wide)
        local = (value - mean) / (spread * 0.5 + 25.0)
    elif modality == "PT":
        value = value.clamp(0.0, 100.0)
        fixed = torch.log1p(value) - 1.0
        mean, _ = weighted(value, near)
        local = 2.0 * value / (mean + 0.1) - 1.0
    else:
        mean, _ = weighted(value, near)
        middle, spread = weighted(value, wide)
        fixed = (value - middle) / (spread + 1e-3)
        local = (value - mean) / (0.5 * spread + 1e-3)
    image = torch.cat([fixed.clamp(-4, 4), local.clamp(-4, 4)], 1) * inside
    return torch.cat([image, inside, click, click**25, box], 1)


class Prompted(nn.Module):
    """What is exported: normalisation for one modality, then the layers."""

    def __init__(self, net, modality):
        super().__init__()
        self.net, self.modality = net, modality

    def forward(self, x):
        return self.net(normalise(x, self.modality))
