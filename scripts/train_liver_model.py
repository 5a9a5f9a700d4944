#!/usr/bin/env python3
"""Trains the shipped network: liver, tumour and ablation zone on portal venous CT, from synthetic cases only.

Cases are written by `cargo run --release -p lesiontrace-phantom --example dump_training_cases -- OUT FIRST_SEED N`. A case
is what lies in each voxel, its texture and sixteen looks; the image of it is made anew for every patch: look, point
spread, noise, size and the network's grid, the last in the very steps that models/README.md states for the program.
Needs PyTorch (1.13 or later) and numpy. What step k sees depends on --seed and k alone; the learning rate depends on
--steps and k. State is kept in --work and taken up again from there; a run is not resumed with other settings.

  scripts/train_liver_model.py train --cases CASES --work WORK --steps 4000 --stop 3500
  scripts/train_liver_model.py export --work WORK --out models/phantom-liver-0.2.2/model.onnx
  scripts/train_liver_model.py measure --cases HELD_OUT --work WORK
"""

import argparse
import inspect
import json
import math
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

CLIP_HU = (-150.0, 250.0)
LABELS = ["background", "liver", "tumour", "ablation_zone"]
SPACING = (2.5, 1.5, 1.5)  # mm along z, y, x: the grid the network sees
PATCH = (32, 80, 80)
CHANNELS = (16, 24, 48, 96)
DIVISIBLE = (8, 16, 16)
BIAS = (0.0, 0.0, 0.2, 0.2)  # added to the logits: a voxel in doubt belongs to the lesion rather than to the liver
AWAY = 3.0
EMA_DECAY = 0.998
COHORT_SCANNER = {"spread": 0.17, "noise_spread": 0.15, "noise_hu": 12.0}
SMALLEST_MM3 = 200.0  # findings below it are dropped when measuring, as the program does


def block(n_in, n_out, stride=1):
    return nn.Sequential(
        nn.Conv3d(n_in, n_out, 3, stride=stride, padding=1, bias=False),
        nn.BatchNorm3d(n_out, momentum=0.05),  # constants at inference: the answer does not depend on the window's size
        nn.LeakyReLU(0.01, inplace=True),
    )


class LiverNet(nn.Module):
    """A U-Net on cells of 2 x 2 in-plane voxels, nearly cubes; the first and last layer lead from voxels to cells and back."""

    def __init__(self):
        super().__init__()
        c = CHANNELS
        self.enter = nn.Sequential(
            nn.Conv3d(1, c[0], (3, 4, 4), stride=(1, 2, 2), padding=1, bias=False),
            nn.BatchNorm3d(c[0], momentum=0.05),
            nn.LeakyReLU(0.01, inplace=True),
            block(c[0], c[0]),
        )
        self.down = nn.ModuleList(
            nn.Sequential(block(c[n], c[n + 1], stride=2), block(c[n + 1], c[n + 1])) for n in range(3)
        )
        self.up = nn.ModuleList(nn.ConvTranspose3d(c[n + 1], c[n], 2, stride=2) for n in reversed(range(3)))
        self.join = nn.ModuleList(block(2 * c[n], c[n]) for n in reversed(range(3)))
        self.leave = nn.ConvTranspose3d(c[0], len(LABELS), (1, 4, 4), stride=(1, 2, 2), padding=(0, 1, 1))

    def forward(self, image):
        levels = [self.enter(image)]
        for down in self.down:
            levels.append(down(levels[-1]))
        x = levels.pop()
        for up, join in zip(self.up, self.join):
            x = join(torch.cat([up(x), levels.pop()], 1))
        return self.leave(x)


class Finished(nn.Module):
    """The network with what is settled after training: a bias per label, doubt away from the liver, and the edge of a zone.

    Away from the liver, where most of the body lies, a tumour needs better evidence (AWAY is taken from its logit). A
    zone's edge is half liver, half zone, and so as dense as a tumour: a rim of tumour thinner than three voxels along any
    axis (a grey opening takes it away) beside a zone is given to the zone.
    """

    def __init__(self, net):
        super().__init__()
        self.net = net
        self.register_buffer("bias", torch.tensor(BIAS).reshape(1, -1, 1, 1, 1))

    def forward(self, image):
        return settle(self.net(image), self.bias)


def widest(x, n):
    for axis in range(3):
        kernel = [1, 1, 1]
        kernel[axis] = n[axis]
        x = F.max_pool3d(x, tuple(kernel), 1, tuple(k // 2 for k in kernel))
    return x


def settle(logits, bias):
    background, liver, tumour, zone = torch.split(logits + bias, 1, 1)
    first = torch.softmax(torch.cat([background, liver, tumour, zone], 1), 1)
    near = widest(first[:, 1:2] + first[:, 3:4], (7, 11, 11))
    tumour = tumour - AWAY * (1 - near)
    background, liver, tumour, zone = torch.split(torch.softmax(torch.cat([background, liver, tumour, zone], 1), 1), 1, 1)
    opened = widest(-widest(-tumour, (3, 3, 3)), (3, 3, 3))
    rim = (tumour - opened) * widest(zone, (3, 7, 7))
    return torch.log(torch.cat([background, liver, tumour - rim, zone + rim], 1) + 1e-6)


def taps(n_in, at, half_width):
    """Matrix of the program's resampling along one axis: a triangle round each position, repeated at the edge."""
    at = np.clip(at, 0, n_in - 1)
    weight = np.maximum(0.0, 1.0 - np.abs(np.arange(n_in)[None] - at[:, None]) / half_width)
    return (weight / weight.sum(1, keepdims=True)).astype(np.float32)


def carry(volume, operators):
    """A volume z, y, x carried over axis by axis: x, then y, then z."""
    z, y, x = operators
    volume = np.ascontiguousarray(volume, np.float32)
    volume = (volume.reshape(-1, volume.shape[2]) @ np.ascontiguousarray(x.T)).reshape(*volume.shape[:2], len(x))
    volume = np.stack([y @ plane for plane in volume])
    return (z @ volume.reshape(len(volume), -1)).reshape(len(z), len(y), len(x))


def blur_in_plane(volume, side):
    """The three-tap blur of the phantom's scanner along rows and columns; the border repeats."""
    for axis in (1, 2):
        padded = np.concatenate([volume.take([0], axis), volume, volume.take([-1], axis)], axis)
        n = volume.shape[axis]
        before, after = [slice(None)] * 3, [slice(None)] * 3
        before[axis], after[axis] = slice(0, n), slice(2, n + 2)
        volume = (1 - 2 * side) * volume + side * (padded[tuple(before)] + padded[tuple(after)])
    return volume


def normalise(hu):
    low, high = CLIP_HU
    return (np.clip(hu, low, high) - low) / (high - low)


class Cases:
    """Cases on disk, memory-mapped."""

    def __init__(self, folder):
        about = json.load(open(os.path.join(folder, "cases.json")))
        self.about, self.n, self.n_looks = about["cases"], len(about["cases"]), about["looks"]
        self.texture_unit = 1.0 / about["texture_steps"]
        sizes = [int(np.prod(case["shape_zyx"])) for case in self.about]
        self.first = np.concatenate([[0], np.cumsum(sizes)])
        whole = lambda name, kind: np.memmap(os.path.join(folder, name), kind, "r")
        self.codes, self.texture = whole("codes.u8", "u1"), whole("texture.i8", "i1")
        self.labels = whole("labels.u8", "u1").reshape(self.n, 256)
        self.looks = whole("looks.f32", "<f4").reshape(self.n, sum(self.n_looks), 256, 2)
        self.foreground = {}

    def voxels(self, array, case):
        return array[self.first[case] : self.first[case + 1]].reshape(self.about[case]["shape_zyx"])

    def label_map(self, case):
        return self.labels[case][self.voxels(self.codes, case)]

    def places(self, case):
        """Up to 500 voxels of each label, found once."""
        if case not in self.foreground:
            labels = self.label_map(case).ravel()
            found = [np.flatnonzero(labels == label) for label in range(len(LABELS))]
            self.foreground[case] = [f[:: max(1, len(f) // 500)].astype(np.int32) for f in found]
        return self.foreground[case]

    def image(self, case, look, scanner, rng, cut=(slice(None),) * 3):
        """HU on the case's own grid: the phantom's scanner with any point spread and noise."""
        table = np.asarray(self.looks[case, look])
        codes = self.voxels(self.codes, case)[cut]
        texture = self.voxels(self.texture, case)[cut].astype(np.float32) * self.texture_unit
        hu = blur_in_plane(table[:, 0][codes] + table[:, 1][codes] * texture, scanner["spread"])
        side = scanner["noise_spread"]
        gain = (1 - 2 * side) ** 2 + 2 * side**2
        noise = blur_in_plane(rng.standard_normal(hu.shape, np.float32), side)
        return hu + noise * (scanner["noise_hu"] / gain)

    def draw(self, rng):
        """One patch: image after normalisation and the share of each label in every voxel."""
        case = int(rng.integers(self.n))
        cohort = self.about[case]["variety"] == "cohort" and rng.random() < 0.85
        look = int(rng.integers(self.n_looks[0])) if cohort else int(rng.integers(sum(self.n_looks)))
        scanner = random_scanner(rng, cohort)
        size = rng.uniform(0.95, 1.05) if cohort else rng.uniform(0.85, 1.2)
        spacing = np.array(self.about[case]["spacing_zyx_mm"]) * size
        shape = np.array(self.about[case]["shape_zyx"])
        start_mm = self.start(case, rng, spacing, shape)
        cut, at, inside, ratio = [], [], [], np.array(SPACING) / spacing
        for axis in range(3):
            u = (start_mm[axis] + (np.arange(PATCH[axis]) + 0.5) * SPACING[axis]) / spacing[axis] - 0.5
            inside.append((u > -0.5) & (u < shape[axis] - 0.5))
            reach = max(1.0, ratio[axis]) + 2
            low = int(np.clip(np.floor(u[0] - reach), 0, shape[axis] - 1))
            high = int(np.clip(np.ceil(u[-1] + reach), low + 1, shape[axis]))
            cut.append(slice(low, high))
            at.append(u - low)
        cut = tuple(cut)
        n = [c.stop - c.start for c in cut]
        coarser = [taps(n[a], at[a], max(1.0, ratio[a])) for a in range(3)]
        hu = carry(self.image(case, look, scanner, rng, cut), coarser)
        if not cohort:
            hu = 40.0 + (hu - 40.0) * rng.uniform(0.93, 1.07) + rng.uniform(-8.0, 8.0)
        beyond = ~(inside[0][:, None, None] & inside[1][None, :, None] & inside[2][None, None])
        image = normalise(hu)
        image[beyond] = 0.0
        return image, self.shares(case, cut, [taps(n[a], at[a], 1.0) for a in range(3)], beyond)

    def start(self, case, rng, spacing, shape):
        """The patch's first corner in mm: near a voxel of a label chosen among tumour, zone, liver and anything."""
        extent = np.array(PATCH) * SPACING
        places = self.places(case)[int(rng.choice([2, 2, 3, 1, 0]))]
        if len(places):
            centre = (np.array(np.unravel_index(int(rng.choice(places)), shape)) + 0.5) * spacing
        else:
            centre = rng.uniform(0, 1, 3) * shape * spacing
        start = centre - extent * rng.uniform(0.2, 0.8, 3)
        return np.clip(start, -0.1 * extent, np.maximum(shape * spacing - 0.9 * extent, -0.1 * extent))

    def shares(self, case, cut, operators, beyond):
        labels = self.labels[case][self.voxels(self.codes, case)[cut]]
        shares = np.zeros((len(LABELS), *PATCH), np.float32)
        for label in range(1, len(LABELS)):
            of_label = labels == label
            if of_label.any():
                shares[label] = carry(of_label.astype(np.float32), operators)
        shares[:, beyond] = 0.0
        shares[0] = 1.0 - shares[1:].sum(0)
        return shares


def random_scanner(rng, cohort):
    if cohort:
        return {"spread": 0.17, "noise_spread": 0.15, "noise_hu": rng.uniform(9.0, 15.0)}
    return {
        "spread": rng.uniform(0.0, 0.25),
        "noise_spread": rng.uniform(0.0, 0.25),
        "noise_hu": rng.uniform(4.0, 22.0),
    }


def loss_of(logits, shares, dice_weight):
    """Cross-entropy that counts more round lesions and zones, on both sides of their edge, plus soft Dice at first.

    No label weighs more than another at any one place: a weighted label would be outlined too large.
    """
    entropy = -(F.log_softmax(logits, 1) * shares).sum(1)
    near = F.max_pool3d((shares[:, 2:].sum(1, keepdim=True) > 0).float(), (3, 7, 7), 1, (1, 3, 3))[:, 0]
    loss = entropy.mean() + 0.5 * (entropy * near).sum() / (near.sum() + 1000.0)
    if dice_weight > 0:
        probability = torch.softmax(logits, 1)
        both = (probability * shares).sum((0, 2, 3, 4))
        total = (probability + shares).sum((0, 2, 3, 4))
        present = shares.sum((0, 2, 3, 4)) > 0
        loss = loss + dice_weight * (1 - ((2 * both + 1) / (total + 1))[present].mean())
    return loss


def settings_of(args):
    return {key: getattr(args, key) for key in ("steps", "batch", "rate", "seed")}


def train(args):
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    os.makedirs(args.work, exist_ok=True)
    cases, net = Cases(args.cases), LiverNet().to(memory_format=torch.channels_last_3d)
    averaged = {name: value.clone() for name, value in net.state_dict().items()}
    optimiser = torch.optim.AdamW(net.parameters(), lr=args.rate, weight_decay=1e-4)
    state_file = os.path.join(args.work, "state.pt")
    first = 0
    if os.path.exists(state_file):
        state = torch.load(state_file)
        if state["settings"] != settings_of(args):
            raise SystemExit(f"{state_file} was begun with {state['settings']}: go on with those, or use another --work")
        net.load_state_dict(state["net"])
        optimiser.load_state_dict(state["optimiser"])
        averaged, first = state["averaged"], state["step"]
    running = None
    last = min(args.steps, args.stop)
    for step in range(first, last):
        loss = take_step(args, step, cases, net, averaged, optimiser)
        running = loss if running is None else 0.98 * running + 0.02 * loss
        if (step + 1) % 100 == 0 or step + 1 == last:
            print(f"step {step + 1} loss {running:.4f}", flush=True)
            state = {
                "net": net.state_dict(), "averaged": averaged, "optimiser": optimiser.state_dict(),
                "step": step + 1, "settings": settings_of(args),
            }
            torch.save(state, state_file + ".part")
            os.replace(state_file + ".part", state_file)


def take_step(args, step, cases, net, averaged, optimiser):
    rng = np.random.default_rng([args.seed, step])
    progress = step / args.steps
    for group in optimiser.param_groups:
        warm = min(1.0, (step + 1) / 200)
        group["lr"] = args.rate * warm * (0.5 + 0.5 * math.cos(math.pi * progress)) + 1e-5
    patches = [cases.draw(rng) for _ in range(args.batch)]
    images = torch.from_numpy(np.stack([p[0] for p in patches]).astype(np.float32))[:, None]
    shares = torch.from_numpy(np.stack([p[1] for p in patches]))
    optimiser.zero_grad()
    logits = net(images.contiguous(memory_format=torch.channels_last_3d))
    loss = loss_of(logits, shares, max(0.0, 0.5 - progress))
    loss.backward()
    nn.utils.clip_grad_norm_(net.parameters(), 5.0)
    optimiser.step()
    decay = min(EMA_DECAY, (step + 1) / (step + 10))
    for name, value in net.state_dict().items():
        if value.dtype.is_floating_point:
            averaged[name].mul_(decay).add_(value, alpha=1 - decay)
        else:
            averaged[name].copy_(value)
    return loss.item()


def load(work):
    net = LiverNet()
    net.load_state_dict(torch.load(os.path.join(work, "state.pt"))["averaged"])
    return Finished(net).eval()


def export(args):
    net = load(args.work)
    names = {"image": {2: "z", 3: "y", 4: "x"}, "logits": {2: "z", 3: "y", 4: "x"}}
    os.makedirs(os.path.dirname(args.out), exist_ok=True)
    old_way = {"dynamo": False} if "dynamo" in inspect.signature(torch.onnx.export).parameters else {}
    torch.onnx.export(
        net, torch.zeros(1, 1, *PATCH), args.out, opset_version=15,
        input_names=["image"], output_names=["logits"], dynamic_axes=names, **old_way,
    )
    print(args.out, os.path.getsize(args.out), "bytes")


def network_size(shape, spacing):
    ratio = np.array(SPACING) / spacing
    return ratio, [math.ceil(n / r - 1e-6) for n, r in zip(shape, ratio)]


def shown_to_network(hu, spacing):
    """A whole image on the network's grid, padded to one window, and where it lies in there."""
    ratio, size = network_size(hu.shape, spacing)
    at = [(np.arange(m) + 0.5) * r - 0.5 for m, r in zip(size, ratio)]
    image = normalise(carry(hu, [taps(n, a, max(1.0, r)) for n, a, r in zip(hu.shape, at, ratio)]))
    pad = [-m % d for m, d in zip(size, DIVISIBLE)]
    image = np.pad(image, [(p // 2, p - p // 2) for p in pad]).astype(np.float32)
    keep = tuple(slice(p // 2, p // 2 + m) for p, m in zip(pad, size))
    return size, torch.from_numpy(image)[None, None], keep


def segment(net, hu, spacing):
    """Labels of a whole image as the program finds them, shown to the network in one window."""
    size, shown, keep = shown_to_network(hu, spacing)
    with torch.no_grad():
        probability = torch.softmax(net(shown), 1)[0].numpy()
    back = [
        taps(m, (np.arange(n) + 0.5) * s / t - 0.5, 1.0) for m, n, s, t in zip(size, hu.shape, spacing, SPACING)
    ]
    return np.stack([carry(p[keep], back) for p in probability]).argmax(0)


def components(mask):
    """Connected voxels (26 neighbours): a list of their linear indices."""
    at = torch.arange(1, mask.size + 1, dtype=torch.float64).reshape(1, 1, *mask.shape) * torch.from_numpy(mask)
    while True:
        grown = F.max_pool3d(at, 3, 1, 1) * torch.from_numpy(mask)
        if torch.equal(grown, at):
            break
        at = grown
    flat = at.numpy().ravel()
    where = np.flatnonzero(flat)
    _, group = np.unique(flat[where], return_inverse=True)
    return [where[group == g] for g in range(group.max() + 1)] if len(where) else []


def matched(found, truth, voxel_mm3):
    """Per true component: equivalent diameter in mm and its error (nan if missed); then the number of false components."""
    of_label = lambda labels, label: components(labels == label)
    rows, n_false = {}, {}
    for label in (2, 3):
        parts = [p for p in of_label(found, label) if len(p) * voxel_mm3 >= SMALLEST_MM3]
        true = [t for t in of_label(truth, label) if len(t) * voxel_mm3 >= SMALLEST_MM3]
        diameter = lambda n: (6 * n * voxel_mm3 / math.pi) ** (1 / 3)
        rows[label] = []
        for t in true:
            hits = [p for p in parts if len(np.intersect1d(p, t)) * 2 > min(len(p), len(t))]
            error = diameter(sum(len(p) for p in hits)) - diameter(len(t)) if hits else math.nan
            rows[label].append((diameter(len(t)), error))
        n_false[label] = sum(np.count_nonzero(truth.ravel()[p] == label) == 0 for p in parts)
    return rows, n_false


def measure(args):
    """Dice and lesion-wise detection over whole held-out cases, each with a look of a cohort's patient and with a wide one."""
    torch.set_num_threads(args.threads)
    cases, net = Cases(args.cases), load(args.work)
    for name, look, scanner in [
        ("cohort", 0, COHORT_SCANNER),
        ("wide", cases.n_looks[0], {"spread": 0.12, "noise_spread": 0.12, "noise_hu": 12.0}),
    ]:
        chosen = [c for c in range(cases.n) if cases.about[c]["variety"] == name][: args.most]
        report(name, [measure_case(cases, c, look, scanner, net) for c in chosen])


def measure_case(cases, case, look, scanner, net):
    spacing = np.array(cases.about[case]["spacing_zyx_mm"])
    hu = np.rint(cases.image(case, look, scanner, np.random.default_rng(case)))
    found, truth = segment(net, hu, spacing), cases.label_map(case)
    counts = [
        (2 * np.count_nonzero((found == k) & (truth == k)), np.count_nonzero(found == k) + np.count_nonzero(truth == k))
        for k in range(len(LABELS))
    ]
    present = [(truth == k).any() for k in range(len(LABELS))]
    return counts, present, *matched(found, truth, float(np.prod(spacing)))


def report(name, results):
    for k in range(1, len(LABELS)):
        counts = np.array([r[0][k] for r in results])
        present = np.array([r[1][k] for r in results])
        per_case = counts[present, 0] / np.maximum(counts[present, 1], 1)
        pooled = counts[:, 0].sum() / max(counts[:, 1].sum(), 1)
        print(f"{name} {LABELS[k]}: Dice pooled {pooled:.3f}, median per case {np.median(per_case):.3f}, n {present.sum()}")
    for k in (2, 3):
        rows = np.array([row for r in results for row in r[2][k]]).reshape(-1, 2)
        error = rows[~np.isnan(rows[:, 1]), 1]
        n_false = sum(r[3][k] for r in results)
        print(
            f"{name} {LABELS[k]}: found {len(error)} of {len(rows)}, false {n_false} in {len(results)} cases, diameter error "
            f"mean {error.mean():+.2f} mm, median size {np.median(np.abs(error)):.2f} mm, 90 % {np.quantile(np.abs(error), 0.9):.2f} mm"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=["train", "export", "measure"])
    parser.add_argument("--cases")
    parser.add_argument("--work", required=True)
    parser.add_argument("--out")
    parser.add_argument("--steps", type=int, default=8000)
    parser.add_argument("--stop", type=int, default=10**9, help="end here, on the schedule of --steps")
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--most", type=int, default=1000, help="measure at most so many cases of each kind")
    args = parser.parse_args()
    {"train": train, "export": export, "measure": measure}[args.action](args)


if __name__ == "__main__":
    main()
