"""Networks as ONNX files with weights of half precision, compared with the originals; and the cards beside them."""
import csv
import hashlib
import pathlib

import numpy as np
import torch

from . import data, extent, predict, shells
from .network import CLICK_SIGMA, SIDE, Prompted, VoiNet

NAMES = {"CT": "ct", "MR": "mr", "PT": "pet"}  # of the models, by the modality of their images
TOLERANCE = 0.02  # largest difference of a probability that rounding the weights to half precision may make


def load(path):
    net = VoiNet()
    net.load_state_dict(torch.load(path, weights_only=True)["average"])
    return net.eval()


def halve(path):
    """Stores large weights as float16; the runtime turns them back when it loads the network."""
    import onnx
    from onnx import helper, numpy_helper

    model = onnx.load(str(path))
    casts, kept = [], []
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size < 256:
            kept.append(tensor)
            continue
        kept.append(numpy_helper.from_array(values.astype(np.float16), tensor.name + "_half"))
        casts.append(helper.make_node("Cast", [tensor.name + "_half"], [tensor.name], to=onnx.TensorProto.FLOAT))
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    nodes = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend(casts + nodes)
    del model.graph.value_info[:]
    model.producer_version = ""
    model.doc_string = ""
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


def example():
    """An input as the program makes one."""
    values = np.random.default_rng(0).normal(60, 40, (40, 44, 48)).astype(np.float32)
    cube, _ = predict.cube(values, np.array([3.0, 2.0, 2.0]), np.array([20, 20, 22]), 3.0, (0, 0, 0))
    return torch.from_numpy(cube)[None]


def network(net, modality, path):
    """Writes one network and returns the largest difference of a probability on noise."""
    import onnxruntime

    whole, x = Prompted(net, modality).eval(), example()
    with torch.no_grad():
        torch.onnx.export(whole, (x,), str(path), input_names=["voi"], output_names=["logits"], opset_version=17, dynamo=False)
        wanted = torch.sigmoid(whole(x)).numpy()
    halve(path)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    got = 1 / (1 + np.exp(-session.run(None, {"voi": x.numpy()})[0]))
    difference = float(np.abs(got - wanted).max())
    if difference > TOLERANCE:
        raise SystemExit(f"{path}: a probability differs by {difference} from the original")
    return difference


def extent_network(work, k, modality, path):
    """Writes the extent network of a fold and returns the largest difference of a likelihood on noise."""
    import onnxruntime

    whole = extent.load(work / f"extent{k}.pt", modality)
    values = np.abs(np.random.default_rng(0).normal(60, 40, (40, 44, 48))).astype(np.float32)
    x = torch.from_numpy(extent.shown(values, np.array([3.0, 2.0, 2.0]), (20, 20, 22), modality))
    with torch.no_grad():
        torch.onnx.export(whole, (x,), str(path), input_names=["shells"], output_names=["likelihood"], opset_version=17, dynamo=False)
        wanted = whole(x).numpy()
    halve(path)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    difference = float(np.abs(session.run(None, {"shells": x.numpy()})[0] - wanted).max())
    if difference > TOLERANCE:
        raise SystemExit(f"{path}: a likelihood differs by {difference} from the original")
    return difference


def digest(path):
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


def networks(work, folder, modality, folds):
    """Writes the networks of all folds into a model's folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for fold in folds:
        path = folder / f"fold{fold}.onnx"
        difference = network(load(work / f"looks{fold}.pt"), modality, path)
        print(f"{path}: {path.stat().st_size} bytes, a probability differs by {difference:.1e} at most")
        if (work / f"extent{fold}.pt").exists():
            path = folder / f"extent{fold}.onnx"
            difference = extent_network(work, fold, modality, path)
            print(f"{path}: {path.stat().st_size} bytes, a likelihood differs by {difference:.1e} at most")


IMAGES = {
    "CT": ("CT", "HU", "ct"),
    "MR": ("MR", "", "mr_t1"),
    "PT": ("PET", "SUVbw", "pet"),
}
LIMITS = [
    "Lesions of real patients: 34 soft-tissue sarcomas of 17 to 2,360 ml alone; all other shapes and sizes it saw were drawn at random",
    "Reference outlines were drawn on another MR sequence and carried over, so that no network can reach them to the voxel",
    "The images of these patients are cropped round the tumour: how it does far from the click in a whole body was not measured",
    "Not measured on MR other than T1, on PET other than FDG, on children, after treatment, or in the brain",
    "From a point, lesions beyond 200 mm are taken for smaller ones",
    "A box round something else outlines that without a warning",
]
BOX_LIMIT = "In a box it does no better than the ellipsoid that touches the box: what it adds is the outline from a point"
DOUBT_LIMIT = "From a point the views agree on wrong outlines as well as on right ones: all are marked DO NOT TRUST"
BALL_LIMIT = "A ball of even uptake in a box is drawn too small, at 0.7 of its volume (pipeline/inference/tests/lesion_voi.rs)"
TRUST_LIMIT = (
    "From a point it is trusted at sizes of 50 to 250 mm alone, those it was measured on, and where the views agree to 0.94: a limit "
    "chosen with the figures of this card in view (chosen on four folds for at most 5 % below a Dice of 0.6 and applied to the fifth, "
    "it kept 68 %, of which 9 % were below, of the others 41 %: scripts/measure_lesion_voi.py trust)"
)


class Trust:
    """Which outlines are not marked DO NOT TRUST."""

    def __init__(self, from_point, least_agreement, limits):
        self.from_point, self.least_agreement, self.limits = from_point, least_agreement, limits


TRUST = {
    "CT": Trust(False, 0.92, [BOX_LIMIT, DOUBT_LIMIT]),
    "MR": Trust(False, 0.92, [BOX_LIMIT, DOUBT_LIMIT]),
    "PT": Trust(True, 0.94, [BALL_LIMIT, TRUST_LIMIT]),
}
TRUSTED_SIZES_MM = (50.0, 250.0)
ATTRIBUTION = (
    "Soft-tissue-Sarcoma, The Cancer Imaging Archive (Vallières et al. 2015), by way of the IBSI validation data: CC BY 3.0; "
    "synthetic cases Apache-2.0 OR MIT"
)


PROMPTS = (
    ("box", "a box round it, each side off by up to 5 % of its length"),
    ("centre", "one click at the voxel farthest inside"),
    ("inner_half", "one click anywhere in the inner half"),
)


def figures(table):
    """[[quality]] entries of the sarcoma table of one modality, and how the mark `do not trust` did."""
    command = "scripts/measure_lesion_voi.py sarcomas --data STS --models models --out TABLE.csv"
    entries = []
    for click, words in PROMPTS:
        own = [row for row in table if row["click"] == click]
        dice = np.array([float(row["dice"]) for row in own])
        low, middle, high = np.percentile(dice, [25, 50, 75])
        on = f"{len(own)} patients, each outlined by the network that never saw it; {words} (mean {dice.mean():.3f}, quartiles {low:.3f} and {high:.3f}, worst {dice.min():.3f})"
        entries.append({"measure": "Dice, median", "value": round(float(middle), 3), "on": on, "command": command})
        pairs = [(float(row["found_axis_mm"]), float(row["long_axis_mm"])) for row in own if row["found_axis_mm"]]
        error = 100 * float(np.median([abs(found / true - 1) for found, true in pairs]))
        entries.append({"measure": "error of the long axis, median, %", "value": round(error, 1),
                        "on": f"{len(pairs)} of them that were found; {words}", "command": command})
    boxed = [(float(row["dice"]), float(row["dice_of_ellipsoid"])) for row in table if row["click"] == "box"]
    entries.append({"measure": "Dice, median, of the ellipsoid in the box, without a network",
                    "value": round(float(np.median([plain for _, plain in boxed])), 3),
                    "on": f"the same boxes; the network is the better one in {sum(own > plain for own, plain in boxed)} of {len(boxed)}",
                    "command": command})
    for clicks, words in ((("box",), "boxes"), (("centre", "inner_half"), "clicks")):
        own = [row for row in table if row["click"] in clicks]
        trusted, doubted = ([float(row["dice"]) for row in own if (row["trusted"] == "True") == flag] for flag in (True, False))
        if trusted and doubted:
            low, low_doubted = (100 * float(np.mean(np.array(part) < 0.6)) for part in (trusted, doubted))
            entries.append({"measure": "Dice, median, of those not marked DO NOT TRUST", "value": round(float(np.median(trusted)), 3),
                            "on": f"{len(trusted)} of {len(own)} {words}, {low:.0f} % of them below 0.6; of the marked ones a median of "
                                  f"{np.median(doubted):.3f}, {low_doubted:.0f} % below 0.6", "command": command})
    moved = [float(row["dice_with_centre"]) for row in table if row["click"] == "border_moved"]
    entries.append({"measure": "Dice of the output with itself when the image's borders are moved towards the lesion, median",
                    "value": round(float(np.median(moved)), 3), "on": f"{len(moved)} patients (worst {min(moved):.3f})", "command": command})
    return entries


def card(folder, modality, folds, training, qualities):
    """Writes card.toml for the networks in a model's folder."""
    from model_card import table

    name, _, version = folder.name.rpartition("-")
    image, unit, role = IMAGES[modality]
    head = {
        "card_version": 1, "name": name, "version": version, "file": f"fold{folds[0]}.onnx",
        "sha256": digest(folder / f"fold{folds[0]}.onnx"), "licence": "Apache-2.0 OR MIT", "clinical_use": False,
        "intended_use": f"Research: outlining one lesion on {image} from a point in it or a box round it",
        "limits": LIMITS + TRUST[modality].limits,
    }
    parts = [table("", head)]
    parts += [table("[fold]", {"file": f"fold{k}.onnx", "sha256": digest(folder / f"fold{k}.onnx")}) for k in folds[1:]]
    parts.append(table("training", {**training, "data_licence": ATTRIBUTION}))
    parts += [table("[quality]", entry) for entry in qualities]
    parts.append(table("input", {
        "name": "voi", "axes": "nczyx", "modality": modality, "series_role": role, "unit": unit,
        "orientation": "lps", "spacing_mm": [predict.LOOKS_MM[0]] * 3, "resampling": "linear_antialiased",
        "patch": [SIDE] * 3, "step_fraction": 1.0, "padding_value": 0.0,
    }))
    parts.append(table("input.normalisation", {"kind": "none"}))
    views = [
        f'    {{ shift = {list(reversed(shift))}, mirror = "{"".join("zyx"[axis] for axis in mirrored)}" }},'
        for shift, mirrored in predict.VIEWS
    ]
    parts.append(table("prompt", {
        "looks_mm": list(predict.LOOKS_MM), "spacing_range_mm": list(predict.SPACING_RANGE_MM), "fill": predict.FILL, "click_sigma_voxels": CLICK_SIGMA,
        "trust_size_from_point": TRUST[modality].from_point,
        "trusted_sizes_mm": list(TRUSTED_SIZES_MM) if TRUST[modality].from_point else None,
        "least_agreement": TRUST[modality].least_agreement,
    }) + "\nviews = [\n" + "\n".join(views) + "\n]")
    if (folder / f"extent{folds[0]}.onnx").exists():
        parts.append(extent_table(folder, modality, folds))
    parts.append(table("output", {"name": "logits", "axes": "nczyx", "kind": "logits", "activation": "sigmoid"}))
    parts.append(table("[label]", {"index": 0, "name": "background", "role": "background"}))
    parts.append(table("[label]", {"index": 1, "name": "lesion", "role": "lesion", "organ": "unspecified"}))
    (folder / "card.toml").write_text("\n\n".join(parts) + "\n")
    print(f"{folder / 'card.toml'}: written")


def extent_table(folder, modality, folds):
    """How the extent networks are asked."""
    from model_card import table

    names = [f"extent{k}.onnx" for k in folds]
    networks = [f'    {{ file = "{name}", sha256 = "{digest(folder / name)}" }},' for name in names]
    return table("prompt.extent", {
        "rays": shells.RAYS, "shells": shells.SHELLS, "first_mm": shells.FIRST_MM, "growth": shells.STEP,
        "smoothing": shells.SMOOTH, "sigmas_mm": list(shells.SIGMAS_MM),
        "clip": list(shells.CLIP_HU) if modality == "CT" else None,
        "relative_to": "mean_above_mean" if modality == "MR" else None,
    }) + "\nnetworks = [\n" + "\n".join(networks) + "\n]"


def read_table(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def inserted_figures(rows, words):
    """[[quality]] entry of the lesions put into a liver."""
    dice = np.array([float(row["dice"]) for row in rows])
    sizes = [float(row["long_axis_mm"]) for row in rows]
    low, middle, high = np.percentile(dice, [25, 50, 75])
    return {
        "measure": "Dice, median", "value": round(float(middle), 3),
        "on": f"{words}: {len(rows)} synthetic lesions of {min(sizes):.0f} to {max(sizes):.0f} mm in the liver of one real CT that no "
              f"network saw (quartiles {low:.3f} and {high:.3f}, worst {dice.min():.3f}), all networks together",
        "command": "scripts/measure_lesion_voi.py inserted --cases CASES --models models --out TABLE.csv",
    }


def models(args):
    """The folders of all three modalities: networks (`export`) or cards with measured figures (`card`)."""
    folds = sorted(int(path.stem[5:]) for path in args.work.glob("looks?.pt"))
    state = lambda name: torch.load(args.work / name, weights_only=True)
    logs = {k: state(f"looks{k}.pt") for k in folds}
    steps = lambda stage: ", ".join(str(state(f"{stage}{k}.pt")["step"]) for k in folds)
    training = {
        "data": f"34 patients with soft-tissue sarcoma, SHA-256 of their images and masks {data.digest(args.data)}; {len(folds)} "
                "networks that each saw the patients of all other folds (a patient's fold is its place modulo 5), and synthetic "
                f"lesions. Steps of 2 cases: {state('start.pt')['step']} on synthetic cases alone, then {steps('fold')} (by fold) "
                f"with lesions that fill the cube, then {steps('looks')} at any scale; of these 65 % patients, 15 % synthetic "
                "lesions in their images, 20 % wholly synthetic. CT, MR and PET share the layers. Seeds 7, 7, 8. Extent: "
                f"{', '.join(str(state(f'extent{k}.pt')['step']) for k in folds)} steps of 24 clicks, 45 % on these tumours at any "
                "scale, 55 % on lesions painted beside them. Seed 9" + (f". {args.note}" if args.note else ""),
        "command": "scripts/train_lesion_voi.py start, fold, looks, clicks, extent, export, card",
    }
    for modality, short in NAMES.items():
        folder = args.models / f"lesion-voi-{short}-{args.release}"
        if args.stage == "export":
            networks(args.work, folder, modality, folds)
            dice = float(np.mean([state["log"][-1][2] for state in logs.values()]))
            qualities = [{"measure": "soft Dice on training cubes", "value": round(dice, 3),
                          "on": "the last 100 steps of each fold; held-out figures are not measured yet", "command": training["command"]}]
        elif not folder.is_dir():
            continue  # taken away: not good enough to be shipped
        else:
            qualities = figures([row for row in read_table(args.table) if row["modality"] == modality])
            if modality == "CT" and args.inserted:
                rows = read_table(args.inserted)
                for prompt, words in (PROMPTS[0], PROMPTS[1]):
                    own = [row for row in rows if row["click"] == prompt]
                    qualities += [inserted_figures(some, words) for some in (own, [r for r in own if float(r["long_axis_mm"]) >= 12]) if some]
        card(folder, modality, folds, training, qualities)
