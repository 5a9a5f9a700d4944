#!/usr/bin/env python3
"""Makes pairs of CTs with a known map between them: 20 that can be registered, 10 that cannot.

    scripts/make_registration_pairs.py --out PAIRS [--ct FOLDER] [--seed N] [--only good-ct,bad]

Good pairs: 10 of one real portal venous CT (--ct, one axial series; default: $LESIONTRACE_DATA/ct_liver_mets/CRLM-CT-1004/image) on its
own grid, and 10 of two synthetic abdomens of 1 x 1 x 2.5 mm. The fixed image has a tumour; the moving one an ablation zone in its place,
whose margin is known in the fixed frame, and was turned (to 5 degrees), shifted (to 15 mm, mostly along z) and bent by a smooth random
field (4 to 12 mm, mostly along z). It is resampled once, by a cubic B-spline, at 3 depths of each 5 mm slice (2 of each 2.5 mm slice of a
synthetic one, from slices of 1.25 mm), from images without noise (the real CT after edge-preserving smoothing), then gets another kernel
or more contrast medium, and noise of its own. Masks of the liver are drawn anew for each image, 1 mm rough.

Bad pairs: the liver of somebody else (4), less than a quarter of the liver in the image (3), flipped (3).

PAIRS/<name>/{fixed,moving,fixed_liver,moving_liver,fixed_tumour,moving_zone}.nii.gz    what a program is given
PAIRS/<name>/{fine_tumour,fine_zone,fine_zone_true}.nii.gz      tumour and zone at 0.75 mm in the fixed, the moving, the fixed frame
PAIRS/<name>/truth.json                                         margin_mm, landmarks (LPS mm, fixed and moving), what was drawn

Needs Python with: numpy scipy SimpleITK. Seeded: the same call writes the same voxels. Pairs of a real CT remain images of that patient:
keep them where the CT itself may be kept, never in the repository.
"""

import argparse
import os
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from registration import images, phantom
from registration.bad_pairs import BAD, make_bad
from registration.pair import Patient, Plan, make, second_look

PHANTOM_NOISE_HU = 12.0
FORMS = ("sphere", "ellipsoid", "lobulated")
LOOKS = ("blur", "sharpen", "contrast", "plain")
# largest displacement and width of the field, mm; margin, mm; long axis, mm
STRONG = [(8, 14), (10, 16), (12, 20), (8, 18), (10, 20)]
GENTLE = [(4, 20), (8, 30), (6, 25), (10, 35), (4, 16)]
MARGINS = [5.0, -3.0, 2.0, 8.0, 0.0, 6.5, 3.5, -1.5, 1.0, 4.2]
LONG_AXES = [22, 30, 16, 14, 35, 18, 26, 28, 12, 20]


def real_patient(folder):
    ct = images.read_ct(folder)
    liver = images.rough_liver(ct)
    return Patient("ct", ct, images.without_noise(ct), liver, images.noise_of(ct, liver), samples=3)


def synthetic_patient(seed):
    grid, hu, liver = phantom.patient(seed)
    rng = np.random.default_rng([seed, 5])
    pairs = hu.reshape(-1, 2, *hu.shape[1:]).mean(1)
    half = liver.reshape(-1, 2, *liver.shape[1:]).all(1)
    i, j, k = grid.GetSize()
    origin = np.array(grid.GetOrigin()) + [0, 0, phantom.SPACING[2] / 2]
    thick = images.grid_of((i, j, k // 2), (*phantom.SPACING[:2], 2 * phantom.SPACING[2]), origin)
    fixed = images.like(second_look(rng, pairs, "plain", PHANTOM_NOISE_HU).astype(np.float32), thick)
    return Patient(f"phantom {seed}", fixed, images.like(hu, grid), half, PHANTOM_NOISE_HU, samples=2)


def plans():
    """One plan a pair of a patient: strong and gentle fields in turn."""
    for n in range(10):
        field_mm, sigma_mm = (STRONG if n % 2 == 0 else GENTLE)[n // 2]
        yield Plan(field_mm, sigma_mm, MARGINS[n], LONG_AXES[n], FORMS[n % 3], n % 4 == 3, LOOKS[n % 4])


def good_pairs(name, patients, seed, out, numbers):
    for n, plan in enumerate(plans()):
        if n not in numbers:
            continue
        rng = np.random.default_rng([seed, len(name), n])
        oblique = 4.0 if n in (4, 9) else 0.0
        truth = make(rng, patients[n % len(patients)], plan, out / f"{name}-{n:02}", oblique)
        said = {key: truth[key] for key in ("patient", "start_mm", "field_mm", "sigma_mm", "jacobian", "margin_mm")}
        print(f"{name}-{n:02}: {said}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    data = Path(os.environ.get("LESIONTRACE_DATA", "."))
    parser.add_argument("--ct", type=Path, default=data / "ct_liver_mets/CRLM-CT-1004/image")
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--only", default="good-ct,good-phantom,bad", help="which of these groups to make")
    parser.add_argument("--numbers", default="0-9", help="which good pairs: first-last")
    args = parser.parse_args()
    first, last = (int(n) for n in args.numbers.split("-"))
    groups, numbers = args.only.split(","), range(first, last + 1)
    if "good-ct" in groups and not args.ct.is_dir():
        parser.error(f"--ct: expected a folder with one CT series, found no folder {args.ct}")
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(2)
    if "good-ct" in groups:
        good_pairs("ct", [real_patient(args.ct)], args.seed, args.out, numbers)
    if "good-phantom" in groups:
        good_pairs("phantom", [synthetic_patient(1), synthetic_patient(2)], args.seed, args.out, numbers)
    if "bad" in groups:
        for name, how in BAD.items():
            print(f"{name}: {make_bad(args.out, name, how)}", flush=True)


if __name__ == "__main__":
    main()
