#!/usr/bin/env python3
"""Measures the click-prompted lesion networks with the program itself, each patient by the network that never saw it.

  scripts/measure_lesion_voi.py sarcomas --data STS --models models --out TABLE.csv
      a box round the mask; one click at the voxel farthest inside it; one click anywhere in its inner half; the first click
      again with the image's borders moved towards the lesion
  scripts/measure_lesion_voi.py inserted --cases CASES --models models --out TABLE.csv
      lesions of 5 to 40 mm in the liver of a CT that no network saw (scripts/make_inserted_lesions.py), all networks together
  scripts/measure_lesion_voi.py baselines --data STS --out TABLE.csv
      thresholds and region growing from the first click, each tuned on the other folds
  scripts/measure_lesion_voi.py balls --models models --out TABLE.csv
      balls in a box, brighter or darker than what is round them, all networks together
  scripts/measure_lesion_voi.py trust --data STS --table TABLE.csv
      for outlines from a click the agreement from which at most 5 % lie below a Dice of 0.6, chosen on four folds, on the fifth

Needs numpy, scipy, nibabel and, for the baselines, PyTorch. --lesiontrace names the program (default target/release/lesiontrace).
"""
import argparse
import concurrent.futures
import csv
import hashlib
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import nibabel  # noqa: E402
import numpy as np  # noqa: E402
from scipy import ndimage  # noqa: E402

from lesion_voi import data  # noqa: E402
from lesion_voi.balls import balls  # noqa: E402

MODEL = {"CT": "lesion-voi-ct", "MR": "lesion-voi-mr", "PT": "lesion-voi-pet"}
SEED = 3


def of_one_fold(models, modality, fold, folder):
    """A model's folder with the network of one fold alone."""
    source = sorted(pathlib.Path(models).glob(MODEL[modality] + "-*"))[-1]
    folder.mkdir(parents=True, exist_ok=True)
    card = (source / "card.toml").read_text()
    card = re.sub(r"\[\[fold\]\]\n(?:[a-z0-9_]+ = .*\n)+\n*", "", card)
    network = (source / f"fold{fold}.onnx").read_bytes()
    card = re.sub(r'^file = .*$', f'file = "fold{fold}.onnx"', card, count=1, flags=re.M)
    card = re.sub(r'^sha256 = .*$', f'sha256 = "{hashlib.sha256(network).hexdigest()}"', card, count=1, flags=re.M)
    if "[prompt.extent]" in card:
        extent = (source / f"extent{fold}.onnx").read_bytes()
        own = f'networks = [{{ file = "extent{fold}.onnx", sha256 = "{hashlib.sha256(extent).hexdigest()}" }}]'
        card = re.sub(r"^networks = \[.*?^\]", own, card, count=1, flags=re.M | re.S)
        (folder / f"extent{fold}.onnx").write_bytes(extent)
    (folder / "card.toml").write_text(card)
    (folder / f"fold{fold}.onnx").write_bytes(network)
    return folder


def call(*arguments):
    """A run of the program that answers in JSON; a result that is not evaluable is an answer, too."""
    done = subprocess.run([str(a) for a in arguments], capture_output=True, text=True)
    if not done.stdout:
        raise SystemExit(f"{' '.join(map(str, arguments))}: {done.stderr}")
    return json.loads(done.stdout)


def lps(image, index):
    """Voxel indices i, j, k as a point in LPS mm, as the command line takes it."""
    x, y, z = (image.affine @ [*index, 1.0])[:3]
    return f"{-x:.3f},{-y:.3f},{z:.3f}"


def dice(a, b):
    total = int(a.sum()) + int(b.sum())
    return 1.0 if total == 0 else 2.0 * int((a & b).sum()) / total


def long_axis(program, mask):
    """The long axis of a mask's lesion by the program, mm; nothing where it has none."""
    lesions = call(program, "measure", "--mask", mask, "--json").get("lesions", [])
    axes = [lesion.get("long_axis_mm") for lesion in lesions]
    return max((a for a in axes if isinstance(a, (int, float))), default=None)


def segmented(program, model, image_path, prompt, out):
    """The label map and what is said of each lesion."""
    document = call(program, "--threads", "1", "segment", image_path, "--model", model, "--out", out, "--json", prompt)
    return np.asarray(nibabel.load(out).dataobj).astype(int), document["lesions"]


def inner_half(rng, depth):
    """A voxel at least half as deep inside the mask as its deepest."""
    where = np.argwhere(depth >= 0.5 * depth.max())
    return where[rng.integers(len(where))]


def box_round(rng, mask):
    """A box as a reader draws it, in voxel indices: each side off by up to 5 % of the lesion's length along its axis."""
    where = np.argwhere(mask)
    low, high = where.min(0) - 0.5, where.max(0) + 0.5
    slack = 0.05 * (high - low)
    return low + rng.uniform(-1, 1, 3) * slack, high + rng.uniform(-1, 1, 3) * slack


def ellipsoid(shape, low, high):
    """What a box gives without a network: the ellipsoid that touches its sides."""
    at = np.ogrid[tuple(slice(0, n) for n in shape)]
    return sum(((a - (l + h) / 2) / ((h - l) / 2)) ** 2 for a, l, h in zip(at, low, high)) <= 1


def with_borders_moved(rng, image, mask, path):
    """The image with each side moved towards the lesion, by any distance that leaves two voxels round it; and what was cut."""
    where = np.argwhere(mask)
    low = [int(rng.integers(0, max(1, where[:, a].min() - 1))) for a in range(3)]
    high = [int(mask.shape[a] - rng.integers(0, max(1, mask.shape[a] - 2 - where[:, a].max()))) for a in range(3)]
    part = tuple(slice(l, h) for l, h in zip(low, high))
    nibabel.save(image.slicer[part], path)
    return part


def sarcoma(program, model, folder, modality, work, rng):
    """The rows of one image."""
    name = data.FILES[modality]
    path = folder / f"{name}.nii.gz"
    image, mask_file = nibabel.load(path), folder / f"{name}_mask.nii.gz"
    mask = np.asarray(nibabel.load(mask_file).dataobj) > 0.5
    spacing = image.header.get_zooms()[:3]
    depth = ndimage.distance_transform_edt(np.pad(mask, 1), sampling=spacing)[1:-1, 1:-1, 1:-1]
    centre = np.unravel_index(int(np.argmax(depth)), depth.shape)
    truth_mm = long_axis(program, mask_file)
    rows, first = [], None
    point = lambda index: f"--point={lps(image, index)}"
    prompts = {"centre": point(centre), "inner_half": point(inner_half(rng, depth)), "border_moved": point(centre)}
    cut = work / "cut.nii.gz"
    part_left = with_borders_moved(rng, image, mask, cut)
    low, high = box_round(rng, mask)
    prompts["box"] = f"--box={lps(image, low)},{lps(image, high)}"
    for click, prompt in prompts.items():
        shown, part = (cut, part_left) if click == "border_moved" else (path, (slice(None),) * 3)
        labels, lesions = segmented(program, model, shown, prompt, work / "labels.nii.gz")
        found = labels > 0
        first = found if first is None else first
        lesion, axis_mm = lesions[0], long_axis(program, work / "labels.nii.gz") if found.any() else None
        row = {
            "patient": folder.name, "modality": modality, "click": click, "volume_ml": round(mask.sum() * np.prod(spacing) / 1000, 1),
            "dice": round(dice(found, mask[part]), 4), "dice_with_centre": round(dice(found, first[part]), 4),
            "long_axis_mm": truth_mm, "found_axis_mm": axis_mm, "spacing_mm": lesion["spacing_mm"],
            "agreement": lesion["agreement"], "trusted": lesion["trusted"],
            "dice_of_ellipsoid": round(dice(ellipsoid(mask.shape, low, high), mask), 4) if click == "box" else "",
        }
        rows.append(row)
    return rows


def sarcomas(args, work):
    folds = data.fold_of(args.data)
    models = {(m, k): of_one_fold(args.models, m, k, work / f"{m}{k}") for m in MODEL for k in range(data.FOLDS)}

    def one(modality, patient):
        own = work / f"{patient} {modality}"
        own.mkdir()
        rng = np.random.default_rng([SEED, int(re.sub(r"\D", "", patient)), len(modality), ord(modality[0])])
        rows = sarcoma(args.lesiontrace, models[modality, folds[patient]], args.data / patient, modality, own, rng)
        print(patient, modality, [row["dice"] for row in rows], rows[0]["agreement"], flush=True)
        return rows

    return in_order(args.jobs, one, [(modality, patient) for modality in MODEL for patient in folds])


def in_order(jobs, one, cases):
    """The rows of all cases in their order, some at a time: the work is done by processes of the program."""
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        return [row for rows in pool.map(lambda case: one(*case), cases) for row in rows]


def inserted(args, work):
    model = sorted(pathlib.Path(args.models).glob(MODEL["CT"] + "-*"))[-1]

    def one(n, lesions):
        image, out, rows = nibabel.load(args.cases / f"{n}.nii.gz"), work / f"{n}.nii.gz", []
        masks = np.asarray(nibabel.load(args.cases / f"{n}_mask.nii.gz").dataobj)
        for known in lesions:
            mask = masks == known["label"]
            part = tuple(slice(max(0, a.min() - 1), a.max() + 2) for a in np.nonzero(mask))
            depth = ndimage.distance_transform_edt(np.pad(mask[part], 1), sampling=image.header.get_zooms()[:3])[1:-1, 1:-1, 1:-1]
            index = np.array(np.unravel_index(int(np.argmax(depth)), depth.shape)) + [s.start for s in part]
            low, high = box_round(np.random.default_rng([SEED, int(n), known["label"]]), mask)
            box = f"--box={lps(image, low)},{lps(image, high)}"
            for click, prompt in (("centre", f"--point={lps(image, index)}"), ("box", box)):
                labels, found = segmented(args.lesiontrace, model, args.cases / f"{n}.nii.gz", prompt, out)
                rows.append({"image": n, "click": click, **{k: known[k] for k in ("label", "long_axis_mm", "contrast_hu", "core")},
                             "dice": round(dice(labels > 0, mask), 4), "spacing_mm": found[0]["spacing_mm"],
                             "agreement": found[0]["agreement"], "trusted": found[0]["trusted"],
                             "dice_of_ellipsoid": round(dice(ellipsoid(mask.shape, low, high), mask), 4) if click == "box" else ""})
                print(rows[-1], flush=True)
        return rows

    return in_order(args.jobs, one, json.loads((args.cases / "truth.json").read_text()).items())


def baselines(args, _):
    from lesion_voi import baselines as methods

    rows, folds = [], data.fold_of(args.data)
    for modality in MODEL:
        cases = data.cases(args.data, data.patients(args.data), (modality,))
        for method, result in methods.cross_validated(cases, folds).items():
            rows += [{"patient": case.patient, "modality": modality, "method": method, "dice": d,
                      "setting_on_all": " ".join(map(str, result["setting_on_all"]))} for case, d in zip(cases, result["dice"])]
            print(modality, method, summary(result["dice"]), result["setting_on_all"], flush=True)
    return rows


LEAST_DICE, MOST_BELOW, LEAST_KEPT = 0.6, 0.05, 10


def agreement_for(dice_of, agreement):
    """The least agreement, in hundredths, from which few outlines lie below LEAST_DICE; more than 1 where there is none."""
    for least in np.arange(0.80, 0.99, 0.01):
        kept = dice_of[agreement >= least]
        if len(kept) >= LEAST_KEPT and np.mean(kept < LEAST_DICE) <= MOST_BELOW:
            return float(least)
    return 1.01


def trust(args):
    folds = data.fold_of(args.data)
    with args.table.open(newline="") as file:
        table = [row for row in csv.DictReader(file) if row["click"] in ("centre", "inner_half")]
    for modality in MODEL:
        own = [row for row in table if row["modality"] == modality]
        dice_of = np.array([float(row["dice"]) for row in own])
        agreement = np.array([float(row["agreement"] or 0) for row in own])
        fold = np.array([folds[row["patient"]] for row in own])
        limits = [agreement_for(dice_of[fold != k], agreement[fold != k]) for k in range(data.FOLDS)]
        kept = agreement >= np.array(limits)[fold]
        below = lambda some: f"{100 * np.mean(some < LEAST_DICE):.0f} % below {LEAST_DICE}" if len(some) else "none"
        print(f"{modality}: limits {np.round(limits, 2).tolist()}; kept {100 * kept.mean():.0f} % of {len(own)}, {below(dice_of[kept])}; "
              f"of the others {below(dice_of[~kept])}")


def summary(values):
    v = np.asarray(values, float)
    quartiles = np.percentile(v, [25, 50, 75])
    return f"median {quartiles[1]:.3f}, mean {v.mean():.3f}, quartiles {quartiles[0]:.3f} {quartiles[2]:.3f}, worst {v.min():.3f}, n {len(v)}"


def tell(rows):
    """The figures of the table on the terminal."""
    if "contrast_hu" in rows[0]:
        for click in ("centre", "box"):
            for low, high in ((0, 8), (8, 1000), (0, 1000)):
                own = [row["dice"] for row in rows if row["click"] == click and low <= row["long_axis_mm"] < high]
                print(f"{click}, {low} mm to below {high} mm: {summary(own)}")
    if "modality" not in rows[0] or "click" not in rows[0]:
        return
    for modality in MODEL:
        for click in ("box", "centre", "inner_half", "border_moved"):
            own = [row for row in rows if (row["modality"], row["click"]) == (modality, click)]
            print(f"{modality} {click}: Dice {summary([row['dice'] for row in own])}")
            if click == "box":
                print(f"{modality} the ellipsoid in the box: Dice {summary([row['dice_of_ellipsoid'] for row in own])}")
            if click == "border_moved":
                print(f"{modality} the same output with the border moved: Dice {summary([row['dice_with_centre'] for row in own])}")
                continue
            errors = [abs(row["found_axis_mm"] / row["long_axis_mm"] - 1) for row in own if row["found_axis_mm"]]
            print(f"{modality} {click}: long axis off by a median of {100 * np.median(errors):.1f} %, {len(own) - len(errors)} not found")
            sizes = np.percentile([row["volume_ml"] for row in own], [0, 33.3, 66.7, 100])
            for low, high in zip(sizes[:-1], sizes[1:]):
                some = [row["dice"] for row in own if low <= row["volume_ml"] <= high]
                print(f"{modality} {click} {low:.0f} to {high:.0f} ml: {summary(some)}")


def in_boxes(args, work):
    """Balls of known volume, each in the box that touches it."""
    out = work / "outline.nii.gz"

    def outlined(modality, image, path, low, high):
        model = sorted(args.models.glob(MODEL[modality] + "-*"))[-1]
        labels, said = segmented(args.lesiontrace, model, path, f"--box={lps(image, low)},{lps(image, high)}", out)
        return labels > 0, said[0]

    return balls(work, outlined, lambda: long_axis(args.lesiontrace, out))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["sarcomas", "inserted", "baselines", "balls", "trust"])
    parser.add_argument("--data", type=pathlib.Path)
    parser.add_argument("--cases", type=pathlib.Path)
    parser.add_argument("--models", type=pathlib.Path, default="models")
    parser.add_argument("--lesiontrace", default="target/release/lesiontrace")
    parser.add_argument("--jobs", type=int, default=1, help="runs of the program at a time")
    parser.add_argument("--out", type=pathlib.Path, help="the table to write")
    parser.add_argument("--table", type=pathlib.Path, help="a table of the sarcoma patients, for trust")
    args = parser.parse_args()
    if args.what == "trust":
        return trust(args)
    if not args.out:
        parser.error("--out names the table to write")
    work = pathlib.Path(tempfile.mkdtemp())
    try:
        rows = {"sarcomas": sarcomas, "inserted": inserted, "baselines": baselines, "balls": in_boxes}[args.what](args, work)
    finally:
        shutil.rmtree(work)
    with args.out.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    if args.what != "balls":
        tell(rows)


if __name__ == "__main__":
    main()
