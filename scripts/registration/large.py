"""One pair of 512 x 512 x 300 voxels, made of a pair of the real CT by interpolation: seconds and memory of `register`."""

import json
import resource
import subprocess
import tempfile
import time
from pathlib import Path

import SimpleITK as sitk

from .images import frame_of, grid_of

SLICES = 300
LIMIT_SECONDS, LIMIT_MIB = 90, 2048


def thick_to_thin(source, out):
    """The image on 300 slices over the same extent."""
    image = sitk.ReadImage(str(source))
    _, origin = frame_of(image)
    i, j, k = image.GetSize()
    spacing = (*image.GetSpacing()[:2], image.GetSpacing()[2] * (k - 1) / (SLICES - 1))
    grid = grid_of((i, j, SLICES), spacing, origin, image.GetDirection())
    how = sitk.sitkLinear if "fixed.nii" in source.name or "moving.nii" in source.name else sitk.sitkNearestNeighbor
    sitk.WriteImage(sitk.Resample(image, grid, sitk.Transform(), how, -1024 if how == sitk.sitkLinear else 0), str(out), True)


def large_pair(args):
    """Prints seconds and memory; 1 where a limit is passed."""
    pair = args.pairs / (args.only or "ct-00")
    with tempfile.TemporaryDirectory(dir=args.work) as folder:
        out = Path(folder)
        names = ("fixed", "moving", "fixed_liver", "moving_liver", "fixed_tumour", "moving_zone")
        for name in names:
            thick_to_thin(pair / f"{name}.nii.gz", out / f"{name}.nii.gz")
        f, m, fl, ml, ft, mz = (out / f"{name}.nii.gz" for name in names)
        given = ["--fixed-mask", fl, "--moving-mask", ml, "--fixed-lesion", ft, "--moving-lesion", mz, "--json"]
        started = time.perf_counter()
        command = [args.program, "--threads", "2", "register", f, m, "--out", out / "found", "--transform", "deformable", *given]
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=True)
        seconds = time.perf_counter() - started
    mib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    said = json.loads(done.stdout)
    print(f"512 x 512 x {SLICES}, deformable, 2 threads: {seconds:.1f} s (limit {LIMIT_SECONDS}), {mib:.0f} MiB (limit {LIMIT_MIB}), quality {said['quality']}")
    return int(seconds > LIMIT_SECONDS or mib > LIMIT_MIB)
