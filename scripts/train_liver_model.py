#!/usr/bin/env python3
"""Trains the shipped network: liver, tumour and ablation zone on portal venous CT, from synthetic cases only.

Cases are written by `cargo run --release -p lesiontrace-phantom --example dump_training_cases -- OUT FIRST_SEED N`.
Needs PyTorch (1.13 or later) and numpy. Seeded and resumable: state is kept in --work and taken up again from there.

  scripts/train_liver_model.py train --cases CASES --work WORK --steps 4000
  scripts/train_liver_model.py export --work WORK --out models/phantom-liver-0.1.0/model.onnx
  scripts/train_liver_model.py measure --cases HELD_OUT --work WORK
"""

import argparse
import json
import math
import os

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

CLIP_HU = (-150.0, 250.0)
N_LABELS = 4
PATCH = (48, 48, 48)
CHANNELS = (8, 16, 32, 64)


def block(n_in, n_out, stride=1):
    return nn.Sequential(
        nn.Conv3d(n_in, n_out, 3, stride=stride, padding=1, bias=False),
        nn.BatchNorm3d(n_out, momentum=0.05),  # constants at inference: the answer does not depend on the window's size
        nn.LeakyReLU(0.01, inplace=True),
    )


class LiverNet(nn.Module):
    """A small U-Net: one convolution at full resolution, two at each coarser level."""

    def __init__(self):
        super().__init__()
        c = CHANNELS
        self.enter = block(1, c[0])
        self.down = nn.ModuleList(
            nn.Sequential(block(c[n], c[n + 1], stride=2), block(c[n + 1], c[n + 1])) for n in range(3)
        )
        self.up = nn.ModuleList(nn.ConvTranspose3d(c[n + 1], c[n], 2, stride=2) for n in reversed(range(3)))
        self.join = nn.ModuleList(block(2 * c[n], c[n]) for n in reversed(range(3)))
        self.leave = nn.Conv3d(c[0], N_LABELS, 1)

    def forward(self, image):
        levels = [self.enter(image)]
        for down in self.down:
            levels.append(down(levels[-1]))
        x = levels.pop()
        for up, join in zip(self.up, self.join):
            x = join(torch.cat([up(x), levels.pop()], 1))
        return self.leave(x)


class Cases:
    """Cases on disk, memory-mapped."""

    def __init__(self, folder):
        about = json.load(open(os.path.join(folder, "cases.json")))
        self.shape = tuple(about["shape_zyx"])
        self.n = about["n_cases"]
        whole = (self.n, *self.shape)
        self.images = np.memmap(os.path.join(folder, "images.i16"), "<i2", "r", shape=whole)
        self.labels = np.memmap(os.path.join(folder, "labels.u8"), "u1", "r", shape=whole)
        self.foreground = {}

    def voxels_of(self, case, label):
        """Up to 2,000 voxels of a label, found once."""
        key = (case, label)
        if key not in self.foreground:
            found = np.flatnonzero(self.labels[case].ravel() == label)
            self.foreground[key] = found[:: max(1, len(found) // 2000)]
        return self.foreground[key]

    def draw(self, rng):
        """One patch, in most draws centred near a voxel of a label chosen evenly among tumour, zone, liver and anything."""
        case = int(rng.integers(self.n))
        label = int(rng.choice([2, 2, 3, 1, 0]))
        voxels = self.voxels_of(case, label) if label else np.array([], int)
        if len(voxels):
            centre = np.unravel_index(int(rng.choice(voxels)), self.shape)
        else:
            centre = [int(rng.integers(n)) for n in self.shape]
        start = []
        for c, n, p in zip(centre, self.shape, PATCH):
            start.append(int(np.clip(c - p // 2 + rng.integers(-p // 4, p // 4 + 1), 0, n - p)))
        cut = (case, *(slice(s, s + p) for s, p in zip(start, PATCH)))
        return augment(self.images[cut].astype(np.float32), rng), self.labels[cut].astype(np.int64)


def augment(hu, rng):
    """Contrast, level, noise and resolution vary more than between scanners; a patch in five keeps them."""
    if rng.random() < 0.8:
        hu = 40.0 + (hu - 40.0) * rng.uniform(0.75, 1.3) + rng.uniform(-25.0, 25.0)
    if rng.random() < 0.4:
        smooth = torch.from_numpy(hu)[None, None]
        k = torch.tensor([0.25, 0.5, 0.25])
        for axis in range(3):
            if rng.random() < 0.7:
                shape = [1, 1, 1, 1, 1]
                shape[2 + axis] = 3
                pad = [0] * 6
                pad[2 * (2 - axis)] = pad[2 * (2 - axis) + 1] = 1
                smooth = F.conv3d(F.pad(smooth, pad, mode="replicate"), k.reshape(shape))
        hu = smooth[0, 0].numpy()
    if rng.random() < 0.5:
        hu = hu + rng.normal(0.0, rng.uniform(2.0, 18.0), hu.shape).astype(np.float32)
    return hu.astype(np.float32)


def normalise(hu):
    low, high = CLIP_HU
    return (np.clip(hu, low, high) - low) / (high - low)


def loss_of(logits, labels):
    """Cross-entropy plus soft Dice over the labels present."""
    weight = torch.tensor([0.5, 1.0, 3.0, 3.0])
    entropy = F.cross_entropy(logits, labels, weight=weight)
    probability = torch.softmax(logits, 1)
    truth = F.one_hot(labels, N_LABELS).permute(0, 4, 1, 2, 3).float()
    both = (probability * truth).sum((0, 2, 3, 4))
    total = (probability + truth).sum((0, 2, 3, 4))
    present = truth.sum((0, 2, 3, 4)) > 0
    dice = (2 * both + 1) / (total + 1)
    return entropy + 1 - dice[present].mean()


def train(args):
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    os.makedirs(args.work, exist_ok=True)
    cases, net = Cases(args.cases), LiverNet()
    optimiser = torch.optim.AdamW(net.parameters(), lr=args.rate, weight_decay=1e-4)
    state_file = os.path.join(args.work, "state.pt")
    first = 0
    if os.path.exists(state_file):
        state = torch.load(state_file)
        net.load_state_dict(state["net"])
        optimiser.load_state_dict(state["optimiser"])
        first = state["step"]
    running = None
    for step in range(first, args.steps):
        rng = np.random.default_rng([args.seed, step])
        for group in optimiser.param_groups:
            warm = min(1.0, (step + 1) / 100)
            group["lr"] = args.rate * warm * (0.5 + 0.5 * math.cos(math.pi * step / args.steps)) + 1e-5
        patches = [cases.draw(rng) for _ in range(args.batch)]
        images = torch.from_numpy(np.stack([normalise(p[0]) for p in patches]))[:, None]
        labels = torch.from_numpy(np.stack([p[1] for p in patches]))
        optimiser.zero_grad()
        loss = loss_of(net(images), labels)
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimiser.step()
        running = loss.item() if running is None else 0.98 * running + 0.02 * loss.item()
        if (step + 1) % 50 == 0 or step + 1 == args.steps:
            print(f"step {step + 1} loss {running:.4f}", flush=True)
            state = {"net": net.state_dict(), "optimiser": optimiser.state_dict(), "step": step + 1}
            torch.save(state, state_file + ".part")
            os.replace(state_file + ".part", state_file)


def load(work):
    net = LiverNet()
    net.load_state_dict(torch.load(os.path.join(work, "state.pt"))["net"])
    return net.eval()


def export(args):
    net = load(args.work)
    names = {"image": {2: "z", 3: "y", 4: "x"}, "logits": {2: "z", 3: "y", 4: "x"}}
    os.makedirs(os.path.dirname(args.out), exist_ok=True)
    torch.onnx.export(
        net, torch.zeros(1, 1, *PATCH), args.out, opset_version=15,
        input_names=["image"], output_names=["logits"], dynamic_axes=names,
    )
    print(args.out, os.path.getsize(args.out), "bytes")


def measure(args):
    """Dice per label over whole held-out cases, and lesion-wise detection by overlap is left to `lesiontrace compare-masks`."""
    torch.set_num_threads(args.threads)
    cases, net = Cases(args.cases), load(args.work)
    both, total = np.zeros((cases.n, N_LABELS)), np.zeros((cases.n, N_LABELS))
    for case in range(cases.n):
        image = torch.from_numpy(normalise(cases.images[case].astype(np.float32)))[None, None]
        with torch.no_grad():
            found = net(image).argmax(1)[0].numpy()
        truth = cases.labels[case]
        for label in range(N_LABELS):
            both[case, label] = 2 * np.logical_and(found == label, truth == label).sum()
            total[case, label] = (found == label).sum() + (truth == label).sum()
    names = ["background", "liver", "tumour", "ablation_zone"]
    for label in range(1, N_LABELS):
        present = np.array([(cases.labels[c] == label).any() for c in range(cases.n)])
        per_case = both[present, label] / np.maximum(total[present, label], 1)
        pooled = both[:, label].sum() / max(total[:, label].sum(), 1)
        print(f"{names[label]}: Dice pooled {pooled:.3f}, median per case {np.median(per_case):.3f}, n {present.sum()}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=["train", "export", "measure"])
    parser.add_argument("--cases")
    parser.add_argument("--work", required=True)
    parser.add_argument("--out")
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--rate", type=float, default=4e-3)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    {"train": train, "export": export, "measure": measure}[args.action](args)


if __name__ == "__main__":
    main()
