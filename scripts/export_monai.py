#!/usr/bin/env python3
"""Makes a model folder (card.toml and ONNX) of a MONAI bundle.

    python3 scripts/export_monai.py BUNDLE --out models/NAME-VERSION --label spleen=organ:spleen --modality CT \\
        --series-role ct_portal_venous --unit HU --licence ... --intended-use ... --limit ... --training-data ... --data-licence ... \\
        --quality ...

BUNDLE is the folder with configs/inference.json (or --config) and models/model.pt. Transforms, inferer and network are read from
the configuration; a transform or option the card cannot express exactly is refused, with the reason.
                                                                       needs: monai, torch, onnx, onnxruntime
"""
import argparse
import json
import pathlib

from model_card import add_arguments, export_network, further_tables, label_tables, refuse, table, write_card

# Reading and types: nothing of the image changes.
WITHOUT_EFFECT = {"LoadImaged", "EnsureChannelFirstd", "EnsureTyped", "ToTensord", "CastToTyped", "ToDeviced", "SaveImaged",
                  "DeleteItemsd"}


def options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=pathlib.Path)
    parser.add_argument("--config", default="configs/inference.json")
    parser.add_argument("--weights", default="models/model.pt")
    parser.add_argument("--network", default="network_def", help="the network's name in the configuration")
    parser.add_argument("--preprocessing", default="preprocessing")
    parser.add_argument("--postprocessing", default="postprocessing")
    parser.add_argument("--inferer", default="inferer")
    add_arguments(parser)
    return parser.parse_args()


def arguments(target, given):
    """A class and all its arguments, defaults included."""
    import inspect

    import monai.inferers
    import monai.transforms

    name = target.rpartition(".")[2]
    known = getattr(monai.transforms, name, None) or getattr(monai.inferers, name, None)
    if known is None:
        refuse(f"{target} is not one of MONAI's")
    name = known.__name__  # SpacingD and SpacingDict are other names of Spacingd
    of = inspect.signature(known).parameters
    return name, {key: given.get(key, None if p.default is inspect.Parameter.empty else p.default) for key, p in of.items()}


def components(parser, name):
    """The transforms of a Compose, in order, with resolved arguments; disabled ones are left out."""
    found = []
    for index in range(len(parser[f"{name}#transforms"])):
        key = f"{name}#transforms#{index}"
        given = parser[key]
        if str(given.get("_disabled_", False)).lower() == "true":
            continue
        values = {k: parser.get_parsed_content(f"{key}#{k}") for k in given if not k.startswith("_")}
        found.append(arguments(given["_target_"], values))
    return found


def only(name, given, allowed):
    """Refuses options that have another value than the one this program follows."""
    for key, wanted in allowed.items():
        value = given.get(key)
        value = getattr(value, "value", value)
        value = value[0] if isinstance(value, (list, tuple)) and len(value) == 1 else value
        if value not in wanted:
            refuse(f"{name}: {key} = {value!r}, expected one of {wanted}")


def triple(value):
    return [float(v) for v in (value if isinstance(value, (list, tuple)) else [value] * 3)]


def intensity(name, given, n_images):
    """The card's normalisation of each image for one of MONAI's intensity transforms."""
    if name == "NormalizeIntensityd" and given["subtrahend"] is not None and given["divisor"] is not None:
        only(name, given, {"nonzero": (False,)})
        each = [v if isinstance(v, (list, tuple)) else [v] * n_images for v in (given["subtrahend"], given["divisor"])]
        if any(len(values) != n_images for values in each):
            refuse(f"{name}: subtrahend and divisor are expected once for each of {n_images} images")
        return [{"kind": "z_score", "mean": float(mean), "std": float(std)} for mean, std in zip(*each)]
    if name != "ScaleIntensityRanged" and n_images > 1 and not given["channel_wise"]:
        refuse(f"{name}: with several images channel_wise = true is expected, else one image's values decide over another's")
    return [one_intensity(name, given)] * n_images


def one_intensity(name, given):
    """The same of one image."""
    if name == "ScaleIntensityRanged":
        only(name, given, {"dtype": (None,) if given["dtype"] is None else (given["dtype"],)})
        low, high, to_low, to_high = (given[key] for key in ("a_min", "a_max", "b_min", "b_max"))
        if to_low is None or to_high is None:
            refuse(f"{name}: b_min and b_max are needed")
        if given["clip"]:
            return {"kind": "clip_to_range", "clip": [float(low), float(high)], "to": [float(to_low), float(to_high)]}
        scale = (high - low) / (to_high - to_low)
        return {"kind": "z_score", "mean": low - to_low * scale, "std": scale}
    if name == "NormalizeIntensityd":
        if (given["subtrahend"] is None) != (given["divisor"] is None):
            refuse(f"{name}: subtrahend and divisor are given together or not at all")
        return {"kind": "z_score_of_image", "over": "nonzero" if given["nonzero"] else "all"}
    only(name, given, {"factor": (None,)})
    if given["minv"] is None or given["maxv"] is None:
        refuse(f"{name}: minv and maxv are needed")
    return {"kind": "min_max", "to": [float(given["minv"]), float(given["maxv"])]}


def crop(given):
    from monai.transforms.utils import is_positive

    name = "CropForegroundd"
    if given["select_fn"] is not is_positive:
        refuse(f"{name}: select_fn is not the default, larger than 0")
    margin = [int(v) for v in triple(given["margin"])]
    only(name, given, {"channel_indices": (None,), "k_divisible": (1,)})
    if any(margin) and not given["allow_smaller"]:
        refuse(f"{name}: a margin is followed with allow_smaller = true alone")
    return {"kind": "above", "value": 0.0, "margin": margin}


def preprocessing(parser, name, n_images):
    """[input] keys, the images' normalisations, [input.crop]: Orientation, Spacing, one intensity transform, CropForeground."""
    keys = {"orientation": "native", "spacing_mm": "native", "resampling": "linear"}
    order, values, cut = [], [{"kind": "none"}] * n_images, None
    for transform, given in components(parser, name):
        if transform in WITHOUT_EFFECT:
            continue
        order.append(transform)
        if transform == "Orientationd":
            only(transform, given, {"as_closest_canonical": (False,)})
            keys["orientation"] = given["axcodes"].lower()
        elif transform == "Spacingd":
            only(transform, given, {"mode": ("bilinear", 1), "padding_mode": ("border", "nearest"), "scale_extent": (False,),
                                    "diagonal": (False,), "min_pixdim": (None,), "max_pixdim": (None,)})
            mm = triple(given["pixdim"])
            keys["spacing_mm"] = [v if v > 0 else "native" for v in mm]
        elif transform in ("ScaleIntensityRanged", "NormalizeIntensityd", "ScaleIntensityd"):
            values = intensity(transform, given, n_images)
        elif transform == "CropForegroundd":
            cut = crop(given)
        else:
            refuse(f"the transform {transform} has no place in a card")
    stages = {"Orientationd": 0, "Spacingd": 1, "CropForegroundd": 3}
    ranks = [stages[t] for t in order if t in stages]
    intensities = [n for n, t in enumerate(order) if t not in stages]
    if ranks != sorted(ranks) or len(intensities) > 1 or (cut and intensities and order.index("CropForegroundd") < intensities[0]):
        refuse(f"the transforms are expected in the order Orientation, Spacing, one of intensity, CropForeground; found {order}")
    before = bool(intensities) and "Spacingd" in order and intensities[0] < order.index("Spacingd")
    keys["normalised"] = "before_resampling" if before else "after_resampling"
    return keys, values, cut


def postprocessing(parser, name, names):
    """[output] keys and what is done to each label."""
    output, extra, order = {}, {}, []
    for transform, given in components(parser, name):
        if transform in WITHOUT_EFFECT:
            continue
        order.append(transform)
        if transform == "Activationsd":
            output["activation"] = "softmax" if given["softmax"] else "sigmoid" if given["sigmoid"] else None
        elif transform == "Invertd":
            nearest = given["nearest_interp"]
        elif transform == "AsDiscreted":
            only(transform, given, {"to_onehot": (None,), "rounding": (None,)})
            softmax = bool(given["argmax"])
            if not softmax and given["threshold"] not in (0.5, [0.5]):
                refuse(f"{transform}: argmax, or a threshold of 0.5")
        elif transform == "KeepLargestConnectedComponentd":
            only(transform, given, {"independent": (True,), "connectivity": (None, 3), "num_components": (1,)})
            applied = given["applied_labels"]
            applied = range(1, len(names) + 1) if applied is None else applied if hasattr(applied, "__iter__") else [applied]
            for label in applied:
                extra.setdefault(names[int(label) - 1], {})["keep_largest"] = True
        elif transform == "FillHolesd":
            only(transform, given, {"connectivity": (None,)})
            applied = given["applied_labels"]
            for label in range(1, len(names) + 1) if applied is None else applied if hasattr(applied, "__iter__") else [applied]:
                extra.setdefault(names[int(label) - 1], {})["fill_holes"] = True
        else:
            refuse(f"the transform {transform} has no place in a card")
    if "AsDiscreted" not in order or "Invertd" not in order:
        refuse(f"AsDiscreted and Invertd are expected among the postprocessing, found {order}")
    at = {t: order.index(t) for t in order}
    for later in ("KeepLargestConnectedComponentd", "FillHolesd"):
        if at.get(later, 99) < max(at["AsDiscreted"], at["Invertd"]):
            refuse(f"{later} is expected after AsDiscreted and Invertd, found {order}")
    if at["AsDiscreted"] < at["Invertd"]:
        output["carried_back"] = "labels"
    else:
        if nearest:
            refuse("Invertd with nearest_interp = true before AsDiscreted: set it to false, as the bundle's own documentation does")
        output["carried_back"] = "probabilities" if at.get("Activationsd", 99) < at["Invertd"] else "logits"
    output.setdefault("activation", "softmax" if softmax else "sigmoid")
    if (output["activation"] == "softmax") != softmax:
        refuse(f"{output['activation']} does not go with argmax = {softmax}")
    if not softmax:
        output["channel_labels"] = list(range(1, len(names) + 1))
    return output, extra


def windows(parser, name):
    given = parser[name]
    values = {k: parser.get_parsed_content(f"{name}#{k}") for k in given if not k.startswith("_")}
    kind, of = arguments(given["_target_"], values)
    if kind != "SlidingWindowInferer":
        refuse(f"the inferer is {kind}, expected SlidingWindowInferer")
    only(kind, of, {"sigma_scale": (0.125,), "padding_mode": ("constant",), "mode": ("constant", "gaussian"),
                    "roi_weight_map": (None,)})
    patch, overlap = [int(v) for v in of["roi_size"]], of["overlap"]
    if len(patch) != 3 or min(patch) < 1 or isinstance(overlap, (list, tuple)):
        refuse(f"{kind}: three whole numbers as roi_size and one overlap are expected, found {patch} and {overlap}")
    return {"patch": patch, "step_fraction": 1 - overlap, "blending": getattr(of["mode"], "value", of["mode"]),
            "padding_value": float(of["cval"])}


def label_names(bundle):
    """Names by metadata.json, in ascending order, without background."""
    metadata = json.loads((bundle / "configs" / "metadata.json").read_text())
    outputs = metadata["network_data_format"]["outputs"]
    channels = next(iter(outputs.values()))["channel_def"]
    ordered = [name for _, name in sorted(channels.items(), key=lambda item: int(item[0]))]
    return ordered[1:] if ordered[0].lower() == "background" else ordered


def main():
    args = options()
    import torch
    from monai.bundle import ConfigParser

    parser = ConfigParser()
    parser.read_config(str(args.bundle / args.config))
    parser["bundle_root"] = str(args.bundle)
    names = label_names(args.bundle)
    n_images = int(parser.get_parsed_content(f"{args.network}#in_channels"))
    keys, values, cut = preprocessing(parser, args.preprocessing, n_images)
    further = further_tables(args.further_image, values[1:])
    output, extra = postprocessing(parser, args.postprocessing, names)
    inferer = windows(parser, args.inferer)
    network = parser.get_parsed_content(args.network)
    weights = torch.load(args.bundle / args.weights, map_location="cpu", weights_only=True)
    network.load_state_dict(weights.get("model", weights) if isinstance(weights, dict) else weights)
    args.out.mkdir(parents=True, exist_ok=True)
    path = args.out / "model.onnx"
    export_network(network, (1, n_images, *inferer["patch"]), path)
    entries = {"name": "image", "axes": "ncxyz", "modality": args.modality, "series_role": args.series_role, "unit": args.unit,
               "convention": "monai", **keys, **inferer}
    parts = [table("input", entries)]
    parts += [table("input.crop", cut)] if cut else []
    parts += [table("input.normalisation", values[0]), *further,
              table("output", {"name": "logits", "axes": "ncxyz", "kind": "logits", **output}),
              *label_tables(names, args.label, extra)]
    write_card(args, [path], f"MONAI bundle {args.bundle.name}", parts, [], [])


if __name__ == "__main__":
    main()
