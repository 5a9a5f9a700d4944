"""Volumes and small networks with which `compare_with_nnunet.py` compares programs. A part of it, no program of its own.

Networks are trained for some seconds on synthetic volumes, so that answers are not all ties, and written as real nnU-Net folders and
MONAI bundles.
"""
import json
import subprocess

import nibabel
import numpy as np

PATCH = (16, 32, 40)
MEANS = (-60.0, 70.0, 160.0)
# A second modality shows label 2 dark.
SECOND_MEANS = (20.0, 130.0, 60.0)


def rotation(x, y, z):
    from scipy.spatial.transform import Rotation

    return Rotation.from_euler("xyz", [x, y, z]).as_matrix()


def volumes(folder):
    """Five pairs of NIfTI images, two modalities on one grid; returns name and paths."""
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
        random = np.random.RandomState(1000 + seed)
        second = np.take(SECOND_MEANS, labels) + 30.0 * smooth_noise(shape, random)
        if name == "bordered":
            second[:5] = second[:, :, -2:] = 0
        found.append((name, saved(folder, name, (image, second), affine)))
    return found


def saved(folder, name, images, affine):
    paths = [folder / f"{name}_{channel:04}.nii.gz" for channel in range(len(images))]
    for path, image in zip(paths, images):
        nibabel.save(nibabel.Nifti1Image(np.round(image).astype(np.int16), affine), path)
    return paths


def real_volumes(folder, data, program):
    """Parts of a CT and an MR of patients, where their folder is there; a smoothed copy stands for the second modality."""
    from scipy.ndimage import gaussian_filter

    if not data:
        return []
    ct = folder / "whole-ct.nii.gz"
    if not ct.is_file():
        subprocess.run([program, "convert", data / "ct_liver_mets" / "CRLM-CT-1004", ct], check=True, capture_output=True)
    parts = {"real-ct": (ct, np.s_[215:295, 190:270, 6:34]), "real-mr": (data / "sts" / "STS_001" / "mr_t1.nii.gz", np.s_[20:66, 16:60, 12:48])}
    found = []
    for name, (path, part) in parts.items():
        image = nibabel.load(path).slicer[part]
        values = np.asarray(image.dataobj, dtype=np.float32)
        if name == "real-mr":
            values = values / np.percentile(values, 99) * 200.0
        found.append((name, saved(folder, name, (values, gaussian_filter(values, 1.0)), image.affine)))
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


def train(network, patch, extra, one_hot, seed, regions=None, steps=150, scale=(50.0, 90.0), n_images=1):
    """Seconds of training: enough for answers that are not ties. Single thread and seed: the same weights again."""
    import torch

    torch.manual_seed(seed)
    random, second_random = np.random.RandomState(100 + seed), np.random.RandomState(2000 + seed)
    optimiser = torch.optim.Adam(network.parameters(), 5e-3)
    network.train()
    index = np.stack(np.meshgrid(*[np.arange(n) for n in patch], indexing="ij"), -1)
    for _ in range(steps):
        where = (index - np.array(patch) / 2) * random.uniform(0.8, 1.8, len(patch))
        where = np.concatenate([where, np.zeros((*patch, 3 - len(patch)))], -1)
        labels = blobs(where, random)
        image = (np.take(MEANS, labels) + 22.0 * smooth_noise(patch, random) - scale[0]) / scale[1]
        second = [(np.take(SECOND_MEANS, labels) + 30.0 * smooth_noise(patch, second_random) - 70.0) / 60.0 for _ in range(1, n_images)]
        channels = [image] + second + [(labels == label) for label in range(1, one_hot + 1)]
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
    common = {"transpose": [0, 1, 2], "mirror": None, "folds": 1, "regions": False, "masked": False, "previous": None,
              "images": 1}
    return {
        "ct-folds-mirrored": common | {"scheme": "CTNormalization", "spacing": [2.0, 1.1, 1.1], "folds": 2, "mirror": (0, 2)},
        "anisotropic-regions": common | {"scheme": "ZScoreNormalization", "masked": True, "spacing": [4.0, 1.0, 1.0],
                                         "regions": True, "mirror": (1, 2)},
        "transposed": common | {"scheme": "CTNormalization", "spacing": [1.0, 1.5, 1.25], "transpose": [2, 0, 1]},
        "slices": common | {"scheme": "ZScoreNormalization", "spacing": [1.0, 1.2], "transpose": [1, 0, 2], "mirror": (0, 1)},
        "lowres": common | {"scheme": "CTNormalization", "spacing": [3.0, 2.0, 2.0]},
        "cascade": common | {"scheme": "CTNormalization", "spacing": [1.6, 1.0, 1.0], "previous": "lowres"},
        "two-modalities": common | {"scheme": "CTNormalization", "spacing": [2.2, 1.2, 1.1], "masked": True, "images": 2, "mirror": (1,)},
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
        "median_image_size_in_voxels": [40.0] * dimensions, "spacing": of["spacing"],
        "normalization_schemes": [of["scheme"], "ZScoreNormalization"][:of["images"]],
        "use_mask_for_norm": [of["masked"]] * of["images"], "resampling_fn_data": function, "resampling_fn_seg": function,
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
        "label_manager": "LabelManager", "foreground_intensity_properties_per_channel": {"0": properties, "1": properties},
    }
    if of["previous"]:
        plans["configurations"][of["previous"]] = configuration | {"next_stage": name, "previous_stage": None}
    labels = {"background": 0, "whole": [1, 2], "core": [2]} if of["regions"] else {"background": 0, "whole": 1, "core": 2}
    channels = {"0": "CT" if of["scheme"] == "CTNormalization" else "MR", "1": "PET"}
    dataset = {"channel_names": {str(n): channels[str(n)] for n in range(of["images"])}, "labels": labels, "numTraining": 1,
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
        train(network, tuple(configuration.patch_size), f" ({name}, fold {fold})", n_channels - of["images"], fold,
              [[1, 2], [2]] if of["regions"] else None, n_images=of["images"])
        (folder / f"fold_{fold}").mkdir(exist_ok=True)
        torch.save({"network_weights": network.state_dict(), "init_args": {"configuration": name}, "trainer_name": "nnUNetTrainer",
                    "inference_allowed_mirroring_axes": of["mirror"]}, folder / f"fold_{fold}" / "checkpoint_final.pth")


MONAI = {
    "ras-softmax": {"spacing": [1.5, 1.2, 2.0], "crop": False, "mode": "gaussian", "overlap": 0.5, "sigmoid": False, "range": True},
    "cropped-constant": {"spacing": [1.0, 1.0, 1.4], "crop": True, "mode": "constant", "overlap": 0.25, "sigmoid": False, "range": True},
    "pli-sigmoid": {"spacing": [1.1, 1.6, 1.0], "crop": False, "mode": "gaussian", "overlap": 0.6, "sigmoid": True, "range": False},
    "channel-wise": {"spacing": [1.2, 1.0, 1.7], "crop": True, "mode": "gaussian", "overlap": 0.5, "sigmoid": False, "range": False,
                     "images": 2},
}


def bundle_of(name, of, folder):
    """A MONAI bundle: configs/inference.json, configs/metadata.json, models/model.pt."""
    import torch
    from monai.networks.nets import UNet

    n_images = of.get("images", 1)
    network = {"_target_": "UNet", "spatial_dims": 3, "in_channels": n_images, "out_channels": 2 if of["sigmoid"] else 3,
               "channels": [6, 10, 14], "strides": [2, 2], "norm": "instance"}
    before = [
        {"_target_": "LoadImaged", "keys": "image"}, {"_target_": "EnsureChannelFirstd", "keys": "image"},
        {"_target_": "Orientationd", "keys": "image", "axcodes": "PLI" if of["sigmoid"] else "RAS"},
        {"_target_": "Spacingd", "keys": "image", "pixdim": of["spacing"], "mode": "bilinear"},
        {"_target_": "ScaleIntensityRanged", "keys": "image", "a_min": -100, "a_max": 210, "b_min": 0.0, "b_max": 1.0, "clip": True}
        if of["range"] else {"_target_": "NormalizeIntensityd", "keys": "image", "nonzero": True, "channel_wise": n_images > 1},
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
          scale=(-100.0, 310.0) if of["range"] else (0.0, 90.0), n_images=n_images)
    torch.save(built.state_dict(), folder / "models" / "model.pt")
