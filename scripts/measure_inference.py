#!/usr/bin/env python3
"""Measures `lesiontrace segment` beside the bare runs of its network, MONAI with onnxruntime, and nnU-Net, on the processor.

    python3 scripts/measure_inference.py speed  --work DIR --program target/release/lesiontrace [--repeats 3] [--shape 160 160 100]
                                      [--image IMAGE.nii.gz]
    python3 scripts/measure_inference.py memory --work DIR --program target/release/lesiontrace [--size 512 512 400]
    python3 scripts/measure_inference.py cases  --work DIR --program target/release/lesiontrace [--n 100]

speed: one nnU-Net network of more than 5 million weights, untrained, exported to ONNX; the programs take turns on one image with the
same windows and threads, best of the repeats. The others' time begins after imports, with their network loaded; that of
lesiontrace is the whole program's. `--image` is for the shipped model (HU). Seconds by the clock and of the processor; only ratios
mean something.
memory: ten classes, windows that do not overlap for either program; the highest memory of each process by the kernel.
cases: copies of one image and a corrupt one through one process (`--each`); memory after a tenth of them and at the end.
                                                         needs: nnunetv2, monai, torch, onnx, onnxruntime, nibabel, numpy
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import threading
import time

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
SPACING = (1.2, 1.2, 1.2)
MODEL_WORDS = ["--modality", "CT", "--series-role", "any", "--unit", "HU", "--licence", "as the repository", "--intended-use", "Timing",
               "--limit", "Not trained", "--training-data", "none", "--data-licence", "none needed",
               "--quality", "largest difference from the original network|0|noise|python3 scripts/measure_inference.py"]


def wave_image(path, shape, spacing):
    """A CT without a patient: smooth waves between −100 and 220 HU."""
    import nibabel

    if path.is_file():
        return path
    i, j, k = np.ogrid[:shape[0], :shape[1], :shape[2]]
    values = (60 + 160 * np.sin(i / 31) * np.sin(j / 23) * np.sin(k / 7)).astype(np.int16)
    nibabel.save(nibabel.Nifti1Image(values, np.diag([-spacing[0], -spacing[1], spacing[2], 1.0])), path)
    return path


def untrained_folder(folder, features, patch, n_classes, spacing):
    """An nnU-Net folder with untrained weights."""
    import torch
    from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
    from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

    from parity_networks import configurations, plans_of

    if (folder / "fold_0" / "checkpoint_final.pth").is_file():
        return
    tried, resampling = configurations()
    plans, dataset = plans_of("3d", tried["lowres"] | {"spacing": list(spacing)}, resampling)
    configuration = plans["configurations"]["3d"]
    configuration["patch_size"] = list(patch)
    configuration["architecture"]["arch_kwargs"] |= {
        "n_stages": len(features), "features_per_stage": features, "kernel_sizes": [[3] * 3] * len(features),
        "strides": [[1] * 3] + [[2] * 3] * (len(features) - 1), "n_conv_per_stage": [2] * len(features),
        "n_conv_per_stage_decoder": [2] * (len(features) - 1)}
    dataset["labels"] = {"background": 0} | {f"label{n}": n for n in range(1, n_classes)}
    (folder / "fold_0").mkdir(parents=True, exist_ok=True)
    (folder / "plans.json").write_text(json.dumps(plans))
    (folder / "dataset.json").write_text(json.dumps(dataset))
    manager = PlansManager(plans)
    torch.manual_seed(5)
    network = nnUNetTrainer.build_network_architecture(manager, manager.get_configuration("3d"), 1, n_classes, False)
    print(f"{sum(p.numel() for p in network.parameters()) / 1e6:.2f} million weights")
    torch.save({"network_weights": network.state_dict(), "init_args": {"configuration": "3d"}, "trainer_name": "nnUNetTrainer",
                "inference_allowed_mirroring_axes": None}, folder / "fold_0" / "checkpoint_final.pth")


def exported(folder, model, n_classes, step):
    if not (model / "card.toml").is_file():
        labels = [part for n in range(1, n_classes) for part in ("--label", f"label{n}=organ:part{n}")]
        subprocess.run([sys.executable, HERE / "export_nnunet.py", folder, "--out", model, "--folds", "0", "--step", str(step),
                        *labels, *MODEL_WORDS], check=True)
    return model


def monai_model(of, to):
    """The same network under a card with MONAI's windows: axes x, y, z, probabilities carried back."""
    text = (of / "card.toml").read_text()
    for old, new in (('convention = "nnunet"', 'convention = "monai"'), ('orientation = "native"', 'orientation = "ras"'),
                     ('"nczyx"', '"ncxyz"'), ("cubic_spline", "linear"), ('carried_back = "logits"', 'carried_back = "probabilities"'),
                     ('normalised = "before_resampling"', 'normalised = "after_resampling"'), ('[input.crop]\nkind = "nonzero"\n', "")):
        assert old in text, old
        text = text.replace(old, new)
    lines = [line for line in text.splitlines() if not line.startswith("nearest_along_axis_coarser_than")]
    to.mkdir(parents=True, exist_ok=True)
    (to / "card.toml").write_text("\n".join(lines) + "\n")
    if not (to / "model.onnx").exists():
        os.link(of / "model.onnx", to / "model.onnx")
    return to


def session(network, n_threads):
    """A session as the program opens it."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = n_threads, 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(str(network), options, providers=["CPUExecutionProvider"])


def timed(work):
    clock, processor = time.perf_counter(), time.process_time()
    work()
    return np.array([time.perf_counter() - clock, time.process_time() - processor])


def program(command, threads):
    """Clock, processor seconds and highest memory (MiB) of a call, and its JSON."""
    clock = time.perf_counter()
    child = subprocess.Popen([*map(str, command), "--threads", str(threads), "--json"], stdout=subprocess.PIPE)
    text = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    seconds = np.array([time.perf_counter() - clock, usage.ru_utime + usage.ru_stime])
    return seconds, usage.ru_maxrss / 1024, json.loads(text), child.returncode


def bare(network, input_name, shape, n, threads):
    """The bare runs of n windows, their session open."""
    runner = session(network, threads)
    window = np.random.RandomState(0).standard_normal(shape).astype(np.float32)
    runner.run(None, {input_name: window})

    def work():
        for _ in range(n):
            runner.run(None, {input_name: window})
    return work


def nnunet(folder, image, out, threads):
    import torch
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

    torch.set_num_threads(threads)
    predictor = nnUNetPredictor(device=torch.device("cpu"), perform_everything_on_device=False, allow_tqdm=False, use_mirroring=False)
    predictor.initialize_from_trained_model_folder(str(folder), [0], "checkpoint_final.pth")
    return lambda: predictor.predict_from_files_sequential([[str(image)]], [str(out / "nnunet")])


def monai(network, image, out, patch, threads):
    import monai.transforms as mt
    import torch
    from monai.data import decollate_batch, list_data_collate
    from monai.inferers import SlidingWindowInferer

    torch.set_num_threads(threads)
    runner = session(network, threads)
    before = mt.Compose([
        mt.LoadImaged("image"), mt.EnsureChannelFirstd("image"), mt.Orientationd("image", axcodes="RAS"),
        mt.Spacingd("image", pixdim=SPACING, mode="bilinear"),
        mt.ScaleIntensityRanged("image", a_min=-110, a_max=210, b_min=-1.78, b_max=1.78, clip=True)])
    after = mt.Compose([
        mt.Activationsd("pred", softmax=True),
        mt.Invertd("pred", transform=before, orig_keys="image", nearest_interp=False, to_tensor=True),
        mt.AsDiscreted("pred", argmax=True), mt.SaveImaged("pred", output_dir=str(out), print_log=False, separate_folder=False)])
    inferer = SlidingWindowInferer(patch, 1, 0.5, mode="gaussian")

    def predict(window):
        return torch.from_numpy(runner.run(None, {"image": np.ascontiguousarray(window.numpy())})[0])

    def work():
        with torch.no_grad():
            batch = list_data_collate([before({"image": str(image)})])
            batch["pred"] = inferer(batch["image"].as_tensor(), predict)
            batch["pred"] = like(batch["image"], batch["pred"])
            after(decollate_batch(batch)[0])
    return work


def like(image, pred):
    """The answer with the image's transforms, which Invertd takes back."""
    from monai.data import MetaTensor

    return MetaTensor(pred, meta=image.meta, applied_operations=image.applied_operations)


def ratios(rows, ours):
    for name, seconds in rows.items():
        clock, processor = ours / seconds
        print(f"  {name:32} {seconds[0]:7.2f} s by the clock {seconds[1]:7.2f} s of the processor; "
              f"lesiontrace / this: {clock:.3f} by the clock, {processor:.3f} of the processor", flush=True)


def speed(args):
    work, threads = args.work, args.threads
    image = wave_image(work / f"wave-{'x'.join(map(str, args.shape))}_0000.nii.gz", args.shape, (0.9, 0.9, 1.2))
    folder = work / "untrained-large"
    untrained_folder(folder, [32, 64, 128, 320], (64, 64, 64), 3, SPACING)
    of_nnunet = exported(folder, work / "large-0.1.0", 3, 0.5)
    of_monai = monai_model(of_nnunet, work / "large-monai-0.1.0")
    print(f"load average {os.getloadavg()[0]:.1f}, {threads} threads, best of {args.repeats}")
    pairs = {
        "nnunet": (of_nnunet, {"nnU-Net (torch, CPU)": nnunet(folder, image, work, threads)}),
        "monai": (of_monai, {"MONAI + onnxruntime": monai(of_nnunet / "model.onnx", image, work, (64, 64, 64), threads)}),
    }
    for name, (model, others) in pairs.items():
        beside(args, name, model, image, (1, 1, 64, 64, 64), others)
    shipped = sorted((HERE.parent / "models").glob("*/card.toml"))
    for card in shipped:
        image = args.image or wave_image(work / "abdomen.nii.gz", (512, 512, 60), (0.78, 0.78, 5.0))
        patch = next(json.loads(line.split("=")[1]) for line in card.read_text().splitlines() if line.startswith("patch"))
        beside(args, card.parent.name, card.parent, image, (1, 1, *patch[::-1]), {})


def beside(args, name, model, image, shape, others):
    call = [args.program, "segment", image, "--model", model, "--out", args.work / f"ours-{name}.nii.gz"]
    document = program(call, args.threads)[2]
    n = document["provenance"]["n_windows"] * document["provenance"]["n_passes_per_window"]
    network = model / next(line.split('"')[1] for line in (model / "card.toml").read_text().splitlines() if line.startswith("file"))
    others = {f"bare runs of {n} windows": bare(network, "image", shape, n, args.threads)} | others
    best = {}
    for _ in range(args.repeats):
        best["ours"] = np.minimum(best.get("ours", np.inf), program(call, args.threads)[0])
        for other, work in others.items():
            best[other] = np.minimum(best.get(other, np.inf), timed(work))
    ours = best.pop("ours")
    print(f"{name}: lesiontrace, whole program {ours[0]:.2f} s by the clock {ours[1]:.2f} s of the processor, {n} windows")
    ratios(best, ours)


def memory(args):
    work = args.work
    image = wave_image(work / "large_0000.nii.gz", args.size, (0.8, 0.8, 1.0))
    folder = work / "untrained-ten"
    untrained_folder(folder, [4, 8, 16], (64, 128, 128), 10, (1.0, 0.8, 0.8))
    model = exported(folder, work / "ten-0.1.0", 10, 1.0)
    call = [args.program, "segment", image, "--model", model, "--out", work / "ours-ten.nii.gz"]
    seconds, ours, document, _ = program(call, args.threads)
    print(f"lesiontrace: {ours:.0f} MiB at most, {seconds[0]:.0f} s; it stated {document['memory']}", flush=True)
    peer = [sys.executable, __file__, "peer", "--work", work, "--program", args.program]
    clock = time.perf_counter()
    child = subprocess.Popen(list(map(str, peer)))
    _, status, usage = os.wait4(child.pid, 0)
    theirs = usage.ru_maxrss / 1024
    print(f"nnU-Net:     {theirs:.0f} MiB at most, {time.perf_counter() - clock:.0f} s, exit {os.waitstatus_to_exitcode(status)}")
    print(f"ratio {ours / theirs:.3f} (wanted at most 0.6); stated bound kept: {ours <= document['memory']['bound_mib']}")
    bound = document["memory"]["bound_mib"]
    for allowed in (bound // 2, bound + 16):
        code = program([*call, "--memory", f"{allowed}MiB"], args.threads)[3] if allowed > bound else subprocess.run(
            [*map(str, call), "--memory", f"{allowed}MiB"], capture_output=True).returncode
        print(f"--memory {allowed}MiB: exit {code}")


def peer(args):
    import torch
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

    torch.set_num_threads(args.threads)
    predictor = nnUNetPredictor(tile_step_size=1.0, device=torch.device("cpu"), perform_everything_on_device=False, allow_tqdm=False,
                                use_mirroring=False)
    predictor.initialize_from_trained_model_folder(str(args.work / "untrained-ten"), [0], "checkpoint_final.pth")
    predictor.predict_from_files_sequential([[str(args.work / "large_0000.nii.gz")]], [str(args.work / "nnunet-ten")])


def cases(args):
    """Copies of one image, the corrupt one in the middle."""
    images, out = args.work / f"cases-{args.n}", args.work / f"cases-{args.n}-out"
    images.mkdir(parents=True, exist_ok=True)
    first = wave_image(images / "case000.nii.gz", (96, 96, 60), (1.5, 1.5, 3.0))
    for n in range(1, args.n):
        path = images / f"case{n:03}.nii.gz"
        if not path.is_file():
            os.link(first, path)
    corrupt = images / f"case{args.n // 2:03}.nii.gz"
    corrupt.unlink()
    corrupt.write_bytes(first.read_bytes()[:1000])
    model = args.model or sorted((HERE.parent / "models").glob("*/card.toml"))[0].parent
    call = [args.program, "segment", images, "--each", "--model", model, "--out", out, "--threads", str(args.threads), "--json"]
    child = subprocess.Popen(list(map(str, call)), stdout=subprocess.PIPE)
    held = []

    def watch():
        while child.poll() is None:
            n_done = len(list(out.glob("case*.nii.gz"))) if out.is_dir() else 0
            try:
                status = pathlib.Path(f"/proc/{child.pid}/status").read_text()
            except OSError:
                return
            rss = next((int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmRSS")), None)
            if rss:
                held.append((n_done, rss))
            time.sleep(0.05)
    for old in out.glob("*.nii.gz") if out.is_dir() else []:
        old.unlink()
    watcher = threading.Thread(target=watch)
    watcher.start()
    document = json.loads(child.stdout.read())
    code = child.wait()
    watcher.join()
    part = max(1, args.n // 10)
    tenths = [max([rss for n, rss in held if tenth * part <= n < (tenth + 1) * part], default=float("nan")) for tenth in range(10)]
    early, late = tenths[1], max(tenths[-2:])
    failed = [case["image"] for case in document["cases"] if "not_evaluable" in case]
    print(f"{document['n_done']} done, {document['n_failed']} not evaluable {failed}, exit {code}")
    print("highest memory in each tenth of the cases, MiB: " + " ".join(f"{rss:.0f}" for rss in tenths))
    print(f"last fifth / second tenth: {late / early:.3f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["speed", "memory", "cases", "peer"])
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--program", type=pathlib.Path, required=True)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--image", type=pathlib.Path)
    parser.add_argument("--shape", type=int, nargs=3, default=(160, 160, 100), help="of the image that is timed")
    parser.add_argument("--size", type=int, nargs=3, default=(512, 512, 400))
    parser.add_argument("--n", type=int, default=100, help="cases")
    parser.add_argument("--model", type=pathlib.Path, help="of the cases; the shipped one when not given")
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    for variable in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results"):
        os.environ.setdefault(variable, str(args.work))
    {"speed": speed, "memory": memory, "cases": cases, "peer": peer}[args.what](args)


if __name__ == "__main__":
    main()
