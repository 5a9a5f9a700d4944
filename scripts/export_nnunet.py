#!/usr/bin/env python3
"""Makes a model folder (card.toml and ONNX) of a trained nnU-Net v2 folder.

    python3 scripts/export_nnunet.py TRAINED --out models/NAME-VERSION --folds 0 1 2 3 4 \\
        --label liver=organ:liver --label tumour=lesion:liver --modality CT --series-role ct_portal_venous --unit HU \\
        --licence ... --intended-use ... --limit ... --training-data ... --data-licence ... [--quality ...]

TRAINED is the folder with plans.json, dataset.json and fold_N/checkpoint_final.pth. Everything that decides the result is read
from there; what the card cannot express exactly is refused, with the reason. For the second stage of a cascade export the first
stage beside it and name its folder with --first-stage.    needs: nnunetv2, torch, onnx, onnxruntime
"""
import argparse
import functools
import json
import pathlib

from model_card import add_arguments, export_network, further_tables, label_tables, refuse, table, toml, write_card

READERS = {"SimpleITKIO": "native", "NibabelIO": "native", "NibabelIOWithReorient": "ras"}


def options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trained", type=pathlib.Path)
    parser.add_argument("--folds", nargs="+", required=True, help="folds to average, such as 0 1 2 3 4, or all")
    parser.add_argument("--checkpoint", default="checkpoint_final.pth")
    parser.add_argument("--step", type=float, default=0.5, help="step of the window as a fraction of the patch")
    parser.add_argument("--no-mirroring", action="store_true", help="without mirrored views (nnU-Net's --disable_tta)")
    parser.add_argument("--first-stage", help="a cascade's second stage: the exported first stage's folder name, beside --out")
    add_arguments(parser)
    return parser.parse_args()


def predictor_of(args):
    """nnU-Net's own predictor: it finds the architecture and the weights."""
    import torch
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

    predictor = nnUNetPredictor(tile_step_size=args.step, use_mirroring=not args.no_mirroring, device=torch.device("cpu"),
                                perform_everything_on_device=False, allow_tqdm=False)
    predictor.initialize_from_trained_model_folder(str(args.trained), args.folds, args.checkpoint)
    return predictor


def resampling(configuration):
    """The card's resampling keys; anything but nnU-Net's default function and orders is refused."""
    of = configuration.configuration
    for key, orders in (("resampling_fn_data", (1, 3)), ("resampling_fn_probabilities", (1,)), ("resampling_fn_seg", (1,))):
        given = of[f"{key}_kwargs"]
        if of[key] != "resample_data_or_seg_to_shape" or given.get("order") not in orders or given.get("order_z", 0) != 0:
            refuse(f"{key} is {of[key]} with {given}: only resample_data_or_seg_to_shape of order {orders}, order_z 0")
        if set(given) - {"is_seg", "order", "order_z", "force_separate_z", "separate_z_anisotropy_threshold"}:
            refuse(f"{key} has options this program does not know: {given}")
    rules = [{k: of[f"{key}_kwargs"].get(k) for k in ("force_separate_z", "separate_z_anisotropy_threshold")}
             for key in ("resampling_fn_data", "resampling_fn_probabilities")]
    if rules[0] != rules[1] or rules[0]["force_separate_z"] not in (None, False):
        refuse(f"force_separate_z and its threshold differ or force a separation: {rules}")
    from nnunetv2.configuration import ANISO_THRESHOLD

    threshold = rules[0]["separate_z_anisotropy_threshold"] or ANISO_THRESHOLD
    return {
        "resampling": {1: "linear", 3: "cubic_spline"}[of["resampling_fn_data_kwargs"]["order"]],
        "nearest_along_axis_coarser_than": None if rules[0]["force_separate_z"] is False else float(threshold),
    }


def normalisation(plans, configuration, channel):
    """The card's normalisation of one channel."""
    scheme, masked = configuration.normalization_schemes[channel], configuration.use_mask_for_norm[channel]
    if scheme == "CTNormalization":
        of = plans.foreground_intensity_properties_per_channel[str(channel)]
        return {"kind": "z_score", "mean": of["mean"], "std": max(of["std"], 1e-8),
                "clip": [of["percentile_00_5"], of["percentile_99_5"]]}
    if scheme == "ZScoreNormalization":
        return {"kind": "z_score_of_image", "over": "nonzero_filled" if masked else "all"}
    if scheme == "RescaleTo01Normalization":
        return {"kind": "min_max", "to": [0.0, 1.0]}
    if scheme == "NoNormalization":
        return {"kind": "none"}
    return refuse(f"the normalisation {scheme} is not known")


def labels(manager, dataset):
    """Names in ascending order without background, and the card's output keys."""
    named = {name: value for name, value in dataset["labels"].items() if name not in ("background", "ignore")}
    if not manager.has_regions:
        names = [name for name, _ in sorted(named.items(), key=lambda item: int(item[1]))]
        values = sorted(int(value) for value in named.values())
        output = {"activation": "softmax"}
    else:
        painted = [int(value) for value in manager.regions_class_order]
        if len(set(painted)) != len(painted):
            refuse(f"regions_class_order {painted} paints one label twice")
        names = [name for _, name in sorted(zip(painted, named))]
        values = sorted(painted)
        output = {"activation": "sigmoid", "channel_labels": painted}
    if values != list(range(1, len(values) + 1)):
        refuse(f"labels are expected to be 1, 2, 3 … without a gap, found {values}")
    return names, output


def quality(args):
    """Figures of nnU-Net's own validation, where they lie beside the checkpoints."""
    found = []
    for fold in args.folds:
        path = args.trained / f"fold_{fold}" / "validation" / "summary.json"
        if path.is_file():
            dice = json.loads(path.read_text())["foreground_mean"]["Dice"]
            found.append({"measure": "Dice, mean of foreground labels", "value": dice, "on": f"nnU-Net validation of fold {fold}",
                          "command": f"nnUNetv2_train ... {fold} --val"})
    return found


def input_table(args, predictor, trained_letters):
    plans, configuration = predictor.plans_manager, predictor.configuration_manager
    reader = plans.image_reader_writer_class
    reader = (reader.func if isinstance(reader, functools.partial) else reader).__name__
    if reader not in READERS:
        refuse(f"images are read by {reader}; known are {sorted(READERS)}")
    spacing, patch = list(configuration.spacing), list(configuration.patch_size)
    in_network = trained_letters[-len(patch):]
    along = {letter: ("native", 1) for letter in trained_letters}
    along.update({letter: (float(mm), int(n)) for letter, mm, n in zip(in_network, spacing, patch)})
    mirrored = [] if args.no_mirroring or predictor.allowed_mirroring_axes is None else predictor.allowed_mirroring_axes
    return {
        "name": "image", "axes": "nc" + in_network, "modality": args.modality, "series_role": args.series_role, "unit": args.unit,
        "convention": "nnunet", "orientation": READERS[reader], "spacing_mm": [along[letter][0] for letter in "xyz"],
        **resampling(configuration), "normalised": "before_resampling", "patch": [along[letter][1] for letter in "xyz"],
        "step_fraction": args.step, "mirror": "".join(in_network[axis] for axis in mirrored), "padding_value": 0.0,
    }


def cascade_table(args, predictor):
    """[cascade] for a second stage; the number of its channels."""
    previous = predictor.configuration_manager.previous_stage_name
    if previous is None:
        if args.first_stage:
            refuse("--first-stage is for a cascade's second stage, and this configuration has no first stage")
        return [], 0
    if not args.first_stage:
        refuse(f"this configuration builds on {previous}: export that first and name its folder with --first-stage")
    card = (args.out.parent / args.first_stage / "card.toml").read_text()
    sha256 = next(line.split('"')[1] for line in card.splitlines() if line.startswith("sha256"))
    shown = [int(label) for label in predictor.label_manager.foreground_labels]
    return [table("cascade", {"model": args.first_stage, "sha256": sha256, "labels": shown})], len(shown)


def main():
    args = options()
    dataset = json.loads((args.trained / "dataset.json").read_text())
    n_images = len(dataset.get("channel_names", dataset.get("modality")))
    predictor = predictor_of(args)
    configuration = predictor.configuration_manager
    if configuration.preprocessor_name != "DefaultPreprocessor":
        refuse(f"the preprocessor {configuration.preprocessor_name} is not known")
    letters = "".join("zyx"[axis] for axis in predictor.plans_manager.transpose_forward)
    cascade, n_first_stage = cascade_table(args, predictor)
    normalisations = [normalisation(predictor.plans_manager, configuration, channel) for channel in range(n_images)]
    further = further_tables(args.further_image, normalisations[1:])
    args.out.mkdir(parents=True, exist_ok=True)
    networks = []
    for fold, weights in zip(args.folds, predictor.list_of_parameters):
        predictor.network.load_state_dict(weights)
        networks.append(args.out / ("model.onnx" if not networks else f"model-fold-{fold}.onnx"))
        export_network(predictor.network, (1, n_images + n_first_stage, *configuration.patch_size), networks[-1])
    names, output = labels(predictor.label_manager, dataset)
    entries = input_table(args, predictor, letters)
    parts = cascade + [
        table("input", entries),
        "[input.crop]\nkind = " + toml("nonzero"),
        table("input.normalisation", normalisations[0]),
        *further,
        table("output", {"name": "logits", "axes": entries["axes"], "kind": "logits", **output, "carried_back": "logits"}),
        *label_tables(names, args.label, {}),
    ]
    post = [p for p in args.trained.rglob("postprocessing.json")]
    limits = ["nnU-Net's own postprocessing.json is not applied"] if post else []
    write_card(args, networks, f"nnU-Net v2, {predictor.trainer_name}, {dataset.get('name', args.trained.name)}", parts,
               quality(args), limits)


if __name__ == "__main__":
    main()
