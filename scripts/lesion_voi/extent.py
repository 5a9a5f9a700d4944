"""What the program does with the extent networks, step for step (pipeline/inference/src/prompted/extent.rs)."""
import numpy as np
import torch

from .extent_network import Extent, ExtentNet
from .shells import FIRST_MM, RAYS, SHELLS, STEP, TURNS, clipped, reference, sample, sphere

NEAR = 3  # shells round the likeliest that count
LONGEST_RAY = 2.2  # of half the extent: no ray within a lesion is longer than its diagonal, but for lumps
OUTERMOST = 0.01  # of the rays' ends, which the box leaves out on each side


def load(path, modality):
    net = ExtentNet()
    net.load_state_dict(torch.load(path, weights_only=True)["average"])
    return Extent(net, modality).eval()


def rays():
    """All turns of the rays [turn, ray, zyx]."""
    return np.array(TURNS)[:, None] * sphere()[None]


def shown(values, spacing, click, modality):
    """The networks' input [turn, 2, ray, shell]; values as they are in the image."""
    over, values = reference(values, modality), clipped(values, modality)
    pairs = [sample(values, spacing, np.asarray(click, float), turn) for turn in rays()]
    return np.stack([np.stack([value / over, inside]) for value, inside in pairs]).astype(np.float32)


def likelihoods(networks, x):
    """The networks' mean answer [turn, 1 + ray, shell]."""
    with torch.no_grad():
        return np.mean([network(torch.from_numpy(x)).numpy() for network in networks], 0)


def likeliest(p):
    """The mean place within NEAR shells of the likeliest; p [..., shell]."""
    k = np.arange(SHELLS)
    near = p * (np.abs(k - p.argmax(-1)[..., None]) <= NEAR)
    return (near * k).sum(-1) / near.sum(-1)


def reading(p):
    """The extent by itself, the box round the rays' ends (low, high; zyx, mm from the click), and the size that counts: their
    geometric mean, of which the one is as much too large on lumpy lesions as the other is too small."""
    half = likeliest(p[:, 0].mean(0))
    reachable = p[:, 1:] * (np.arange(SHELLS) <= half + np.log(LONGEST_RAY) / np.log(STEP)) + 1e-12
    tips = (rays() * (FIRST_MM * STEP ** likeliest(reachable))[..., None]).reshape(-1, 3)
    low, high = np.percentile(tips, 100 * OUTERMOST, 0), np.percentile(tips, 100 * (1 - OUTERMOST), 0)
    extent = 2 * FIRST_MM * STEP**half
    box = float(np.clip((high - low).max(), extent / 2, extent * 2))
    return {"head_mm": float(extent), "box_mm": box, "low": low, "high": high, "extent_mm": float(np.sqrt(extent * box))}
