#!/usr/bin/env python3
"""Shows that `lesiontrace segment` gives the labels of nnU-Net v2 and of MONAI with the same weights.

    python3 scripts/compare_with_nnunet.py --work DIR --program target/release/lesiontrace [--data DIR] [--store]

Small networks are trained for some seconds on synthetic volumes (so that answers are not all ties), written as real nnU-Net
folders and MONAI bundles, exported by export_nnunet.py and export_monai.py, and run by both programs on five volumes: one
isotropic, one anisotropic, one oblique, one smaller than the patch, one sagittal with a border of zeros; with --data (or
LESIONTRACE_DATA) also on parts of a real CT and a real MR. Each nnU-Net network is run by nnU-Net once more with its sums in single
precision, which says what of a difference is rounding. What lies in DIR already is not made again. With --store the table goes to
test_data/oracles/parity/table.json, and one synthetic volume of each network, with its model, beside it.
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
import types

import nibabel
import numpy as np

from parity_networks import MONAI, bundle_of, configurations, real_volumes, trained_folder, volumes

HERE = pathlib.Path(__file__).resolve().parent
ORACLES = HERE.parent / "test_data" / "oracles" / "parity"
# What must agree with either program.
LEAST_EQUAL, LEAST_DICE = 0.999, 0.999
# Where a difference has a cause that is not this program's to follow.
KNOWN = {
    ("channel-wise", "bordered"): "where the spacing of an axis does not change, MONAI's resampling leaves rounding errors of 1e-15 in "
                                  "planes of zeros; NormalizeIntensity (nonzero) counts them as object, this program does not",
}
TOOLS = ("nnunetv2", "batchgenerators", "monai", "torch", "onnxruntime", "scipy", "scikit-image", "numpy")


def nnunet_predicts(predictor_of, folder, of, cases, out, previous):
    """nnU-Net's own predictor on files, as nnUNetv2_predict_from_modelfolder runs it."""
    import torch

    predictor = predictor_of(device=torch.device("cpu"), perform_everything_on_device=False, allow_tqdm=False,
                                use_mirroring=of["mirror"] is not None)
    predictor.initialize_from_trained_model_folder(str(folder), list(range(of["folds"])), "checkpoint_final.pth")
    out.mkdir(exist_ok=True)
    files = [[str(path) for path in paths[:of["images"]]] for _, paths in cases]
    predictor.predict_from_files_sequential(files, [str(out / case) for case, _ in cases],
                                            folder_with_segs_from_prev_stage=None if previous is None else str(previous))


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
    for case, paths in cases:
        path, shown = paths[0], [str(path) for path in paths[:of.get("images", 1)]]
        batch = list_data_collate([before({"image": shown if len(shown) > 1 else shown[0]})])
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


def export(script, source, out, modality, more, n_images):
    given = ["--label", "whole=organ:liver", "--label", "core=lesion:liver", "--modality", modality, "--series-role", "any",
             "--unit", "HU" if modality == "CT" else "", "--licence", "as the repository", "--intended-use", "Tests of the program",
             "--limit", "Trained for seconds on synthetic blobs", "--training-data", "synthetic blobs", "--data-licence", "none needed",
             "--quality", "largest difference from the original network|0|noise|python3 scripts/compare_with_nnunet.py"]
    given += ["--further-image", "second=PT:any:"] * (n_images - 1)
    subprocess.run([sys.executable, HERE / script, source, "--out", out, *given, *more], check=True)


def store(model, case, images, labels):
    """One volume with its model: the vectors of a test that needs neither nnU-Net nor MONAI."""
    to = ORACLES / model.name
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(model, to)
    for channel, image in enumerate(images):
        name = "image.npy" if channel == 0 else f"image-{channel}.npy"
        np.save(to / name, np.asarray(nibabel.load(image).dataobj).astype("<i2").transpose(2, 1, 0).copy())
    np.save(to / "labels.npy", np.asarray(nibabel.load(labels).dataobj).astype("u1").transpose(2, 1, 0).copy())
    affine = nibabel.load(images[0]).affine.tolist()
    (to / "case.json").write_text(json.dumps({"case": case, "voxel_to_patient_ras": affine}, indent=1) + "\n")


def in_single_precision():
    """nnU-Net's predictor with its sums in single precision: the same code but for the type of three arrays."""
    from nnunetv2.inference import predict_from_raw_data as module

    source = pathlib.Path(module.__file__).read_text().replace("dtype=torch.half", "dtype=torch.float")
    changed = types.ModuleType("predict_in_single_precision")
    changed.__file__ = module.__file__
    exec(compile(source, module.__file__, "exec"), changed.__dict__)
    return changed.nnUNetPredictor


class Comparison:
    """What is compared, and the rows of the table."""

    def __init__(self, args):
        self.args, self.rows = args, []
        self.cases = volumes(args.work)
        self.n_synthetic = len(self.cases)
        self.cases += real_volumes(args.work, args.data, args.program)

    def made(self, folder):
        return all((folder / f"{case}.nii.gz").is_file() for case, _ in self.cases)

    def measure(self, kind, name, model, reference, n_images, keep, single=None):
        """Runs the program on all volumes and compares its labels with the reference's."""
        out = self.args.work / f"{kind}-{name}-ours"
        out.mkdir(exist_ok=True)
        for case, images in self.cases:
            command = [self.args.program, "segment", images[0], "--model", model, "--out", out / f"{case}.nii.gz", "--json"]
            command += [part for image in images[1:n_images] for part in ("--with", image)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            row = {"reference": kind, "network": name, "volume": case, "n_windows": json.loads(done.stdout)["provenance"]["n_windows"]}
            row |= compare(reference / f"{case}.nii.gz", out / f"{case}.nii.gz")
            if single:
                row["differing_from_single_precision"] = compare(single / f"{case}.nii.gz", out / f"{case}.nii.gz")["differing_voxels"]
            row["met"] = row["equal_in_foreground"] is None or (
                row["equal_in_foreground"] >= LEAST_EQUAL and row["smallest_dice"] >= LEAST_DICE)
            if not row["met"] and (name, case) in KNOWN:
                row["cause"] = KNOWN[name, case]
            self.rows.append(row)
            print(row, flush=True)
        if self.args.store:
            case, images = next(pair for pair in self.cases[:self.n_synthetic] if pair[0] == keep)
            store(model, case, images[:n_images], reference / f"{keep}.nii.gz")

    def nnunet(self, name, of, resampling, keep):
        from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

        folder, model = self.args.work / f"nnunet-{name}", self.args.work / "models" / f"{name}-0.1.0"
        if not (folder / "fold_0" / "checkpoint_final.pth").is_file():
            trained_folder(name, of, resampling, folder)
        references = []
        for kind, predictor in (("reference", nnUNetPredictor), ("single", in_single_precision())):
            references.append(self.args.work / f"nnunet-{name}-{kind}")
            if not self.made(references[-1]):
                previous = self.args.work / f"nnunet-{of['previous']}-{kind}" if of["previous"] else None
                nnunet_predicts(predictor, folder, of, self.cases, references[-1], previous)
        more = ["--folds", *map(str, range(of["folds"]))]
        more += ["--first-stage", f"{of['previous']}-0.1.0"] if of["previous"] else []
        if not (model / "card.toml").is_file():
            export("export_nnunet.py", folder, model, "CT" if of["scheme"] == "CTNormalization" else "MR", more, of["images"])
        self.measure("nnunet", name, model, references[0], of["images"], keep, references[1])

    def monai(self, name, of, keep):
        folder, reference = self.args.work / f"monai-{name}", self.args.work / f"monai-{name}-reference"
        model, n_images = self.args.work / "models" / f"{name}-0.1.0", of.get("images", 1)
        if not (folder / "models" / "model.pt").is_file():
            bundle_of(name, of, folder)
        if not self.made(reference):
            monai_predicts(folder, of, self.cases, reference)
        if not (model / "card.toml").is_file():
            export("export_monai.py", folder, model, "CT" if of["range"] else "MR", [], n_images)
        self.measure("monai", name, model, reference, n_images, keep)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--program", type=pathlib.Path, required=True)
    parser.add_argument("--data", type=pathlib.Path, default=os.environ.get("LESIONTRACE_DATA"))
    parser.add_argument("--store", action="store_true")
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    for variable in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results"):
        os.environ.setdefault(variable, str(args.work))
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    comparison = Comparison(args)
    tried, resampling = configurations()
    kept = {"anisotropic-regions": "bordered", "slices": "anisotropic", "cascade": "oblique", "lowres": "oblique",
            "two-modalities": "bordered", "cropped-constant": "bordered", "pli-sigmoid": "oblique", "channel-wise": "oblique"}
    for name, of in tried.items():
        comparison.nnunet(name, of, resampling, kept.get(name, "small"))
    for name, of in MONAI.items():
        comparison.monai(name, of, kept.get(name, "small"))
    rows = comparison.rows
    if args.store:
        tools = {tool: importlib.metadata.version(tool) for tool in TOOLS}
        table = {"made_by": "python3 scripts/compare_with_nnunet.py --store", "tools": tools, "rows": rows}
        lines = json.dumps(table, indent=1).replace("\n   ", " ").replace("\n  }", " }")
        (ORACLES / "table.json").write_text(lines + "\n")
    missed = [row for row in rows if not row["met"]]
    print(f"{len(rows)} rows, {len(missed)} below {LEAST_EQUAL} of the foreground or a Dice of {LEAST_DICE}")
    print(f"worst: {min(rows, key=lambda row: row['equal_in_foreground'] or 1.0)}")
    sys.exit(1 if any("cause" not in row for row in missed) else 0)


if __name__ == "__main__":
    main()
