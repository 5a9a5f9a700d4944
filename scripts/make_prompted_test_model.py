#!/usr/bin/env python3
"""Makes the tiny prompted network of test_data/models and what scripts/lesion_voi/predict.py says with it.

Two networks of random weights from a seed, drawn towards voxels that look like those under the click, so that there is a lesion
to find; and two small networks of random weights that say how far it reaches. Writes model.onnx, model-1.onnx and their digests
into the cards of test_data/models/prompted-0.1.0 and sized-0.1.0, the extent networks into the latter, and image and answers into
test_data/oracles/prompted.

    python3 scripts/make_prompted_test_model.py        needs: numpy, scipy, onnx, torch
"""
import hashlib
import json
import pathlib
import re
import sys
from types import SimpleNamespace

import numpy as np
import onnx
import scipy
import torch
from torch import nn

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from lesion_voi import extent, predict, shells  # noqa: E402
from lesion_voi.extent_network import Extent, ExtentNet  # noqa: E402

DATA = HERE.parent / "test_data"
SEED = 20261122
SPACING_MM = (2.5, 1.3, 1.1)  # z, y, x
SIDE = 32
# The steps are those of predict.py; size of the cube, views and the numbers' preparation are this small network's own.
predict.SIDE = SIDE
predict.VIEWS = [((0, 0, 0), ()), ((3, -3, 3), (2,)), ((-3, 3, -3), (1,)), ((3, 3, -3), (0,))]
predict.LOOKS_MM = (0.8, 1.6, 3.2, 6.4)
predict.SPACING_RANGE_MM, predict.FILL, predict.CLICK_SIGMA = (0.8, 8.0), 0.5, 2.0
predict.normalise = lambda x, _: x
shells.CLIP_HU = (-5.0, 60.0)
EXTENT_SEEDS = (12, 13)


class LikeTheClick(nn.Module):
    """Random layers, and a term that falls with the square of the difference from the value under the click."""

    def __init__(self, seed):
        super().__init__()
        torch.manual_seed(seed)
        self.layers = nn.Sequential(
            nn.Conv3d(4, 4, 3, stride=2, padding=1),
            nn.InstanceNorm3d(4, affine=True),
            nn.LeakyReLU(0.01),
            nn.ConvTranspose3d(4, 1, 2, stride=2),
        )

    def forward(self, x):
        value, inside, click, box = torch.split(x, 1, 1)
        mean = (value * click).sum((2, 3, 4), keepdim=True) / (click * inside).sum((2, 3, 4), keepdim=True)
        like = (value - mean) / 50.0
        image = torch.cat([like, inside, click, box], 1)
        return self.layers(image) + 2.0 - 6.0 * like**2 + 2.0 * box - 8.0 * (1.0 - inside)


def extent_net(seed):
    """Random weights, drawn up so that the likelihoods differ from shell to shell."""
    torch.manual_seed(seed)
    net = ExtentNet(width=4)
    with torch.no_grad():
        for weights in net.parameters():
            weights *= 2.0
    return Extent(net, "CT").eval()


def save(net, model, name, shape=(1, 4) + (SIDE,) * 3, names=("voi", "logits")):
    path = DATA / "models" / model / name
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.onnx.export(
        net, torch.zeros(shape), str(path),
        input_names=[names[0]], output_names=[names[1]], opset_version=17, dynamo=False,
    )
    model = onnx.load(str(path))
    model.producer_name, model.producer_version, model.graph.name = "make_prompted_test_model", "", "prompted"
    for node in model.graph.node:
        node.ClearField("doc_string")
        del node.metadata_props[:]
    data = model.SerializeToString(deterministic=True)
    path.write_bytes(data)
    print(f"{name}: {len(data)} bytes")
    return hashlib.sha256(data).hexdigest()


def phantom():
    """An egg of 90 HU at voxel (x 25.5, y 14.5, z 8.5), turned in plane, in 0 HU with noise; [z, y, x]."""
    random = np.random.RandomState(SEED)
    z, y, x = np.meshgrid(*(np.arange(n) for n in (20, 36, 40)), indexing="ij")
    dz, dy, dx = [(v - c) * mm for v, c, mm in zip((z, y, x), (8.5, 14.5, 25.5), SPACING_MM)]
    u, v = 0.8 * dx + 0.6 * dy, -0.6 * dx + 0.8 * dy
    inside = (u / 11.0) ** 2 + (v / 7.0) ** 2 + (dz / 9.0) ** 2 < 1
    return (90 * inside + 8 * random.standard_normal(x.shape)).round().astype(np.int16)


def answers(nets, extents, case, click, box):
    mask, agreement, spacing_mm, mean = predict.segment(nets, case, click, box, extents)
    print(f"spacing {spacing_mm:.6f}, {mask.sum()} voxels, agreement {agreement:.6f}")
    return mean, {
        "click_zyx": list(click),
        "box_zyx": None if box is None else [list(corner) for corner in box],
        "spacing_mm": spacing_mm,
        "agreement": agreement,
        "n_voxels": int(mask.sum()),
    }


if __name__ == "__main__":
    torch.set_num_threads(1)
    nets = [LikeTheClick(seed).eval() for seed in (SEED, SEED + 1)]
    extents = [extent_net(seed) for seed in EXTENT_SEEDS]
    of_shells = {"shape": (len(shells.TURNS), 2, shells.RAYS, shells.SHELLS), "names": ("shells", "likelihood")}
    for model in ("prompted-0.1.0", "sized-0.1.0"):
        digests = [save(net, model, name) for net, name in zip(nets, ("model.onnx", "model-1.onnx"))]
        if model == "sized-0.1.0":
            digests += [save(net, model, name, **of_shells) for net, name in zip(extents, ("extent.onnx", "extent-1.onnx"))]
        card, digests = DATA / "models" / model / "card.toml", iter(digests)
        if card.exists():
            card.write_text(re.sub(r'sha256 = "[^"]*"', lambda _: f'sha256 = "{next(digests)}"', card.read_text()))
    image = phantom()
    case = SimpleNamespace(values=image.astype(np.float32), spacing=np.array(SPACING_MM), modality="CT")
    folder = DATA / "oracles" / "prompted"
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "image.npy", image)
    cases = []
    for name, click, box, own in [
        ("point", (8.0, 13.25, 27.0), None, ()),
        ("box", (8.5, 14.5, 25.5), ((4.5, 7.0, 15.5), (12.5, 22.0, 35.5)), ()),
        ("sized", (8.0, 13.25, 27.0), None, extents),
    ]:
        mean, found = answers(nets, own, case, click, box)
        # Sixteen bits are enough for a tolerance of 1e-4, and half as large as single precision.
        np.save(folder / f"{name}.npy", (mean * 65535).round().astype(np.uint16))
        cases.append({"name": name, "model": "sized-0.1.0" if own else "prompted-0.1.0", **found})
    report = {
        "tool": f"scripts/lesion_voi/predict.py with torch {torch.__version__}, scipy {scipy.__version__}, numpy {np.__version__}",
        "axes": "z, y, x; index of voxel centres; mean probability times 65535 in <name>.npy",
        "spacing_mm_zyx": SPACING_MM,
        "cases": cases,
    }
    (folder / "answers.json").write_text(json.dumps(report, indent=1) + "\n")
