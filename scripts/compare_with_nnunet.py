#!/usr/bin/env python3
"""Shows that `lesiontrace segment` gives the labels of nnU-Net v2 and of MONAI with the same weights.

    python3 scripts/compare_with_nnunet.py --work DIR --program target/release/lesiontrace [--store]

Small networks are trained for some seconds on synthetic volumes (so that answers are not all ties), written as real nnU-Net
folders and MONAI bundles, exported by export_nnunet.py and export_monai.py, and run by both programs on five volumes: one
isotropic, one anisotropic, one oblique, one smaller than the patch, one sagittal with a border of zeros. What lies in DIR already
is not made again. With --store the table goes to test_data/oracles/parity/table.json, and one volume of each network, with its
model, beside it.
                                     needs: nnunetv2, monai, torch, onnx, onnxruntime, nibabel, numpy, scipy, SimpleITK
"""
import argparse
import importlib.metadata
import json
import os
import pathlib
import shutil
import subprocess
import sys

import nibabel
import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
ORACLES = HERE.parent / "test_data" / "oracles" / "parity"
PATCH = (16, 32, 40)
MEANS = (-60.0, 70.0, 160.0)
TOOLS = ("nnunetv2", "batchgenerators", "monai", "torch", "onnxruntime", "scipy", "scikit-image", "numpy")


def rotation(x, y, z):
    from scipy.spatial.transform import Rotation

    return Rotation.from_euler("xyz", [x, y, z]).as_matrix()


def volumes(folder):
    """Five NIfTI images; returns name and path."""
    sagittal = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
    kinds = {
        "isotropic": ((52, 44, 36), (1.0, 1.0, 1.0), np.diag([-1.0, -1.0, 1.0])),
        "anisotropic": ((60, 56, 13), (0.8, 0.8, 4.5), np.eye(3)),
        "oblique": ((48, 50, 24), (1.2, 0.9, 2.1), rotation(0.2, -0.15, 0.4)),
        "small": ((27, 30, 11), (1.3, 1.1, 1.6), np.diag([1.0, -1.0, -1.0])),
        "bordered": ((50, 46, 17), (1.0, 0.9, 3.7), sagittal),
    }
    found = []
    for seed, (name, (shape, spacing, directions)) in enumerate(kinds.items()):
        random = np.random.RandomState(seed)
        index = np.stack(np.meshgrid(*[np.arange(n) for n in shape], indexing="ij"), -1)
        where = (index - np.array(shape) / 2) * spacing
        labels = blobs(where, random)
        image = np.take(MEANS, labels) + 22.0 * smooth_noise(shape, random)
        if name == "bordered":
            image[:7] = image[-4:] = 0
            image[:, :, :3] = 0
        affine = np.eye(4)
        affine[:3, :3] = directions * np.array(spacing)
        affine[:3, 3] = (31.0, -52.0, 17.0)
        path = folder / f"{name}_0000.nii.gz"
        nibabel.save(nibabel.Nifti1Image(np.round(image).astype(np.int16), affine), path)
        found.append((name, path))
    return found


def blobs(where, random):
    """Labels 1 (large) and 2 (smaller ones in it) at positions in mm."""
    labels = np.zeros(where.shape[:-1], dtype=np.int64)
    centre = random.uniform(-4, 4, 3)
    labels[(((where - centre) / random.uniform(12, 17, 3)) ** 2).sum(-1) < 1] = 1
    for _ in range(3):
        at = centre + random.uniform(-9, 9, 3)
        labels[(((where - at) / random.uniform(4, 8, 3)) ** 2).sum(-1) < 1] = 2
    return labels


def smooth_noise(shape, random):
    from scipy.ndimage import gaussian_filter

    noise = gaussian_filter(random.standard_normal(shape), 0.8)
    return noise / noise.std()


def train(network, patch, extra, one_hot, seed, regions=None, steps=150, scale=(50.0, 90.0)):
    """Seconds of training: enough for answers that are not ties. Single thread and seed: the same weights again."""
    import torch

    torch.manual_seed(seed)
    random = np.random.RandomState(100 + seed)
    optimiser = torch.optim.Adam(network.parameters(), 5e-3)
    network.train()
    index = np.stack(np.meshgrid(*[np.arange(n) for n in patch], indexing="ij"), -1)
    for _ in range(steps):
        where = (index - np.array(patch) / 2) * random.uniform(0.8, 1.8, len(patch))
        where = np.concatenate([where, np.zeros((*patch, 3 - len(patch)))], -1)
        labels = blobs(where, random)
        image = (np.take(MEANS, labels) + 22.0 * smooth_noise(patch, random) - scale[0]) / scale[1]
        channels = [image] + [(labels == label) for label in range(1, one_hot + 1)]
        shown = torch.from_numpy(np.stack(channels)[None].astype(np.float32))
        answer = network(shown)
        answer = answer[0] if isinstance(answer, (list, tuple)) else answer
        if regions:
            wanted = np.stack([np.isin(labels, region) for region in regions])[None].astype(np.float32)
            weight = torch.tensor([1.0, 4.0]).reshape(-1, *[1] * len(patch))
            loss = torch.nn.functional.binary_cross_entropy_with_logits(answer, torch.from_numpy(wanted), pos_weight=weight)
        else:
            weight = torch.tensor([0.5, 1.0, 3.0])
            loss = torch.nn.functional.cross_entropy(answer, torch.from_numpy(labels[None]), weight)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    network.eval()
    print(f"  trained: loss {loss.item():.3f}{extra}", flush=True)


def configurations():
    """What is tried of nnU-Net; each is one trained folder."""
    resampling = {"force_separate_z": None, "order_z": 0}
    common = {"transpose": [0, 1, 2], "mirror": None, "folds": 1, "regions": False, "masked": False, "previous": None}
    return {
        "ct-folds-mirrored": common | {"scheme": "CTNormalization", "spacing": [2.0, 1.1, 1.1], "folds": 2, "mirror": (0, 2)},
        "anisotropic-regions": common | {"scheme": "ZScoreNormalization", "masked": True, "spacing": [4.0, 1.0, 1.0],
                                         "regions": True, "mirror": (1, 2)},
        "transposed": common | {"scheme": "CTNormalization", "spacing": [1.0, 1.5, 1.25], "transpose": [2, 0, 1]},
        "slices": common | {"scheme": "ZScoreNormalization", "spacing": [1.0, 1.2], "transpose": [1, 0, 2], "mirror": (0, 1)},
        "lowres": common | {"scheme": "CTNormalization", "spacing": [3.0, 2.0, 2.0]},
        "cascade": common | {"scheme": "CTNormalization", "spacing": [1.6, 1.0, 1.0], "previous": "lowres"},
    }, resampling


def plans_of(name, of, resampling):
    """plans.json and dataset.json as nnU-Net's planner writes them, with a small PlainConvUNet."""
    dimensions = len(of["spacing"])
    conv = f"torch.nn.modules.conv.Conv{dimensions}d"
    norm = f"torch.nn.modules.instancenorm.InstanceNorm{dimensions}d"
    architecture = {
        "network_class_name": "dynamic_network_architectures.architectures.unet.PlainConvUNet",
        "arch_kwargs": {
            "n_stages": 3, "features_per_stage": [6, 10, 14], "conv_op": conv, "kernel_sizes": [[3] * dimensions] * 3,
            "strides": [[1] * dimensions, [2] * dimensions, [2] * dimensions], "n_conv_per_stage": [1, 1, 1],
            "n_conv_per_stage_decoder": [1, 1], "conv_bias": True, "norm_op": norm,
            "norm_op_kwargs": {"eps": 1e-5, "affine": True}, "dropout_op": None, "dropout_op_kwargs": None,
            "nonlin": "torch.nn.LeakyReLU", "nonlin_kwargs": {"inplace": True},
        },
        "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
    }
    function = "resample_data_or_seg_to_shape"
    configuration = {
        "data_identifier": name, "preprocessor_name": "DefaultPreprocessor", "batch_size": 2, "patch_size": list(PATCH[-dimensions:]),
        "median_image_size_in_voxels": [40.0] * dimensions, "spacing": of["spacing"], "normalization_schemes": [of["scheme"]],
        "use_mask_for_norm": [of["masked"]], "resampling_fn_data": function, "resampling_fn_seg": function,
        "resampling_fn_data_kwargs": {"is_seg": False, "order": 3, **resampling},
        "resampling_fn_seg_kwargs": {"is_seg": True, "order": 1, **resampling},
        "resampling_fn_probabilities": function, "resampling_fn_probabilities_kwargs": {"is_seg": False, "order": 1, **resampling},
        "architecture": architecture, "batch_dice": True,
    }
    if of["previous"]:
        configuration["previous_stage"] = of["previous"]
    properties = {"mean": 50.0, "std": 90.0, "percentile_00_5": -110.0, "percentile_99_5": 210.0, "min": -200.0, "max": 300.0,
                  "median": 60.0}
    backward = [int(v) for v in np.argsort(of["transpose"])]
    plans = {
        "dataset_name": "Dataset001_Parity", "plans_name": "nnUNetPlans", "original_median_spacing_after_transp": [1.0] * 3,
        "original_median_shape_after_transp": [40] * 3, "image_reader_writer": "SimpleITKIO", "transpose_forward": of["transpose"],
        "transpose_backward": backward, "configurations": {name: configuration}, "experiment_planner_used": "ExperimentPlanner",
        "label_manager": "LabelManager", "foreground_intensity_properties_per_channel": {"0": properties},
    }
    if of["previous"]:
        plans["configurations"][of["previous"]] = configuration | {"next_stage": name, "previous_stage": None}
    labels = {"background": 0, "whole": [1, 2], "core": [2]} if of["regions"] else {"background": 0, "whole": 1, "core": 2}
    dataset = {"channel_names": {"0": "CT" if of["scheme"] == "CTNormalization" else "MR"}, "labels": labels, "numTraining": 1,
               "file_ending": ".nii.gz", "name": "Dataset001_Parity"}
    if of["regions"]:
        dataset["regions_class_order"] = [1, 2]
    return plans, dataset


def trained_folder(name, of, resampling, folder):
    """A folder as nnUNetv2_train leaves it."""
    import torch
    from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
    from nnunetv2.utilities.label_handling.label_handling import determine_num_input_channels
    from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

    plans, dataset = plans_of(name, of, resampling)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "plans.json").write_text(json.dumps(plans))
    (folder / "dataset.json").write_text(json.dumps(dataset))
    manager = PlansManager(plans)
    configuration = manager.get_configuration(name)
    n_channels = determine_num_input_channels(manager, configuration, dataset)
    n_heads = manager.get_label_manager(dataset).num_segmentation_heads
    for fold in range(of["folds"]):
        torch.manual_seed(10 + fold)
        network = nnUNetTrainer.build_network_architecture(manager, configuration, n_channels, n_heads, False)
        train(network, tuple(configuration.patch_size), f" ({name}, fold {fold})", n_channels - 1, fold,
              [[1, 2], [2]] if of["regions"] else None)
        (folder / f"fold_{fold}").mkdir(exist_ok=True)
        torch.save({"network_weights": network.state_dict(), "init_args": {"configuration": name}, "trainer_name": "nnUNetTrainer",
                    "inference_allowed_mirroring_axes": of["mirror"]}, folder / f"fold_{fold}" / "checkpoint_final.pth")


def nnunet_predicts(folder, of, cases, out, previous):
    """nnU-Net's own predictor on files, as nnUNetv2_predict_from_modelfolder runs it."""
    import torch
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

    predictor = nnUNetPredictor(device=torch.device("cpu"), perform_everything_on_device=False, allow_tqdm=False,
                                use_mirroring=of["mirror"] is not None)
    predictor.initialize_from_trained_model_folder(str(folder), list(range(of["folds"])), "checkpoint_final.pth")
    out.mkdir(exist_ok=True)
    files = [[str(path)] for _, path in cases]
    predictor.predict_from_files_sequential(files, [str(out / case) for case, _ in cases],
                                            folder_with_segs_from_prev_stage=None if previous is None else str(previous))


MONAI = {
    "ras-softmax": {"spacing": [1.5, 1.2, 2.0], "crop": False, "mode": "gaussian", "overlap": 0.5, "sigmoid": False, "range": True},
    "cropped-constant": {"spacing": [1.0, 1.0, 1.4], "crop": True, "mode": "constant", "overlap": 0.25, "sigmoid": False, "range": True},
    "pli-sigmoid": {"spacing": [1.1, 1.6, 1.0], "crop": False, "mode": "gaussian", "overlap": 0.6, "sigmoid": True, "range": False},
}


def bundle_of(name, of, folder):
    """A MONAI bundle: configs/inference.json, configs/metadata.json, models/model.pt."""
    import torch
    from monai.networks.nets import UNet

    network = {"_target_": "UNet", "spatial_dims": 3, "in_channels": 1, "out_channels": 2 if of["sigmoid"] else 3,
               "channels": [6, 10, 14], "strides": [2, 2], "norm": "instance"}
    before = [
        {"_target_": "LoadImaged", "keys": "image"}, {"_target_": "EnsureChannelFirstd", "keys": "image"},
        {"_target_": "Orientationd", "keys": "image", "axcodes": "PLI" if of["sigmoid"] else "RAS"},
        {"_target_": "Spacingd", "keys": "image", "pixdim": of["spacing"], "mode": "bilinear"},
        {"_target_": "ScaleIntensityRanged", "keys": "image", "a_min": -100, "a_max": 210, "b_min": 0.0, "b_max": 1.0, "clip": True}
        if of["range"] else {"_target_": "NormalizeIntensityd", "keys": "image", "nonzero": True},
    ]
    if of["crop"]:
        before.append({"_target_": "CropForegroundd", "keys": "image", "source_key": "image"})
    before.append({"_target_": "EnsureTyped", "keys": "image"})
    after = [
        {"_target_": "Activationsd", "keys": "pred", **({"sigmoid": True} if of["sigmoid"] else {"softmax": True})},
        {"_target_": "Invertd", "keys": "pred", "transform": "@preprocessing", "orig_keys": "image", "nearest_interp": False,
         "to_tensor": True},
        {"_target_": "AsDiscreted", "keys": "pred", **({"threshold": 0.5} if of["sigmoid"] else {"argmax": True})},
    ]
    if of["crop"]:
        after.append({"_target_": "KeepLargestConnectedComponentd", "keys": "pred", "applied_labels": [1]})
    config = {
        "network_def": network, "preprocessing": {"_target_": "Compose", "transforms": before},
        "inferer": {"_target_": "SlidingWindowInferer", "roi_size": [40, 32, 16], "sw_batch_size": 1, "overlap": of["overlap"],
                    "mode": of["mode"]},
        "postprocessing": {"_target_": "Compose", "transforms": after},
    }
    names = {"0": "whole", "1": "core"} if of["sigmoid"] else {"0": "background", "1": "whole", "2": "core"}
    for part in ("configs", "models"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    (folder / "configs" / "inference.json").write_text(json.dumps(config))
    metadata = {"network_data_format": {"outputs": {"pred": {"channel_def": names}}}}
    (folder / "configs" / "metadata.json").write_text(json.dumps(metadata))
    torch.manual_seed(3)
    built = UNet(**{key: value for key, value in network.items() if key != "_target_"})
    train(built, (40, 32, 16), f" ({name})", 0, 7, [[1, 2], [2]] if of["sigmoid"] else None,
          scale=(-100.0, 310.0) if of["range"] else (0.0, 90.0))
    torch.save(built.state_dict(), folder / "models" / "model.pt")


def monai_predicts(folder, of, cases, out):
    """The bundle's own preprocessing, inferer and postprocessing, as its evaluator runs them."""
    import torch
    from monai.bundle import ConfigParser
    from monai.data import decollate_batch, list_data_collate

    parser = ConfigParser()
    parser.read_config(str(folder / "configs" / "inference.json"))
    before, after, inferer, network = (parser.get_parsed_content(key)
                                       for key in ("preprocessing", "postprocessing", "inferer", "network_def"))
    network.load_state_dict(torch.load(folder / "models" / "model.pt", weights_only=True))
    network.eval()
    out.mkdir(exist_ok=True)
    for case, path in cases:
        batch = list_data_collate([before({"image": str(path)})])
        with torch.no_grad():
            batch["pred"] = inferer(batch["image"], network)
        pred = np.asarray(after(decollate_batch(batch)[0])["pred"])
        labels = pred[0]
        if of["sigmoid"]:
            labels = np.zeros(pred.shape[1:])
            for channel, painted in enumerate(pred, 1):
                labels[painted > 0] = channel
        nibabel.save(nibabel.Nifti1Image(labels.astype(np.uint8), nibabel.load(path).affine), out / f"{case}.nii.gz")


def compare(wanted, got):
    """Share of equal voxels among those either calls foreground, and the smallest Dice of a label."""
    wanted, got = (np.asarray(nibabel.load(path).dataobj).astype(int) for path in (wanted, got))
    foreground = (wanted > 0) | (got > 0)
    dice = [2 * ((wanted == label) & (got == label)).sum() / max(1, (wanted == label).sum() + (got == label).sum())
            for label in np.unique(wanted[wanted > 0])]
    return {"foreground_voxels": int(foreground.sum()), "differing_voxels": int((wanted != got).sum()),
            "equal_in_foreground": float((wanted == got)[foreground].mean()) if foreground.any() else None,
            "smallest_dice": float(min(dice)) if dice else None}


def export(script, source, out, modality, more):
    given = ["--label", "whole=organ:liver", "--label", "core=lesion:liver", "--modality", modality, "--series-role", "any",
             "--unit", "HU" if modality == "CT" else "", "--licence", "as the repository", "--intended-use", "Tests of the program",
             "--limit", "Trained for seconds on synthetic blobs", "--training-data", "synthetic blobs", "--data-licence", "none needed",
             "--quality", "largest difference from the original network|0|noise|python3 scripts/compare_with_nnunet.py"]
    subprocess.run([sys.executable, HERE / script, source, "--out", out, *given, *more], check=True)


def store(model, case, image, labels):
    """One volume with its model: the vectors of a test that needs neither nnU-Net nor MONAI."""
    to = ORACLES / model.name
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(model, to)
    volume = nibabel.load(image)
    np.save(to / "image.npy", np.asarray(volume.dataobj).astype("<i2").transpose(2, 1, 0).copy())
    np.save(to / "labels.npy", np.asarray(nibabel.load(labels).dataobj).astype("u1").transpose(2, 1, 0).copy())
    (to / "case.json").write_text(json.dumps({"case": case, "voxel_to_patient_ras": volume.affine.tolist()}, indent=1) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--program", type=pathlib.Path, required=True)
    parser.add_argument("--store", action="store_true")
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    for variable in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results"):
        os.environ.setdefault(variable, str(args.work))
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    cases, rows = volumes(args.work), []

    def measure(kind, name, model, reference, keep):
        out = args.work / f"{kind}-{name}-ours"
        out.mkdir(exist_ok=True)
        for case, image in cases:
            command = [args.program, "segment", image, "--model", model, "--out", out / f"{case}.nii.gz", "--json"]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            row = {"reference": kind, "network": name, "volume": case, "n_windows": json.loads(done.stdout)["provenance"]["n_windows"]}
            rows.append(row | compare(reference / f"{case}.nii.gz", out / f"{case}.nii.gz"))
            print(rows[-1], flush=True)
        if args.store:
            case, image = next(pair for pair in cases if pair[0] == keep)
            store(model, case, image, reference / f"{keep}.nii.gz")

    tried, resampling = configurations()
    kept = {"anisotropic-regions": "bordered", "slices": "anisotropic", "cascade": "oblique", "cropped-constant": "bordered",
            "pli-sigmoid": "oblique"}
    for name, of in tried.items():
        folder, reference = args.work / f"nnunet-{name}", args.work / f"nnunet-{name}-reference"
        model = args.work / "models" / f"{name}-0.1.0"
        if not (folder / "fold_0" / "checkpoint_final.pth").is_file():
            trained_folder(name, of, resampling, folder)
        if not (reference / "bordered.nii.gz").is_file():
            nnunet_predicts(folder, of, cases, reference, args.work / f"nnunet-{of['previous']}-reference" if of["previous"] else None)
        more = ["--folds", *map(str, range(of["folds"]))]
        more += ["--first-stage", f"{of['previous']}-0.1.0"] if of["previous"] else []
        if not (model / "card.toml").is_file():
            export("export_nnunet.py", folder, model, "CT" if of["scheme"] == "CTNormalization" else "MR", more)
        measure("nnunet", name, model, reference, kept.get(name, "small"))
    for name, of in MONAI.items():
        folder, reference = args.work / f"monai-{name}", args.work / f"monai-{name}-reference"
        model = args.work / "models" / f"{name}-0.1.0"
        if not (folder / "models" / "model.pt").is_file():
            bundle_of(name, of, folder)
        if not (reference / "bordered.nii.gz").is_file():
            monai_predicts(folder, of, cases, reference)
        if not (model / "card.toml").is_file():
            export("export_monai.py", folder, model, "CT" if of["range"] else "MR", [])
        measure("monai", name, model, reference, kept.get(name, "small"))
    if args.store:
        tools = {tool: importlib.metadata.version(tool) for tool in TOOLS}
        table = {"made_by": "python3 scripts/compare_with_nnunet.py --store", "tools": tools, "rows": rows}
        (ORACLES / "table.json").write_text(json.dumps(table, indent=1) + "\n")
    worst = min(rows, key=lambda row: row["equal_in_foreground"])
    print(f"worst: {worst}")


if __name__ == "__main__":
    main()
