#!/usr/bin/env python3
"""Trains the point- and box-prompted lesion network on two CPU cores (a GPU is not used).

Data: the folders STS_*/{ct,mr_t1,pet}{,_mask}.nii.gz of the soft-tissue-sarcoma patients (TCIA, CC BY 3.0), and lesions
drawn at random. Needs PyTorch 2, numpy, scipy, nibabel. State is kept in --work and taken up again from there.

  scripts/train_lesion_voi.py start --work WORK                            synthetic cases alone, the start of every fold
  scripts/train_lesion_voi.py fold --data STS --work WORK --fold K         K = 0..4: all patients but those of fold K
  scripts/train_lesion_voi.py looks --data STS --work WORK --fold K        the same, at any scale
  scripts/train_lesion_voi.py clicks --data STS --work WORK                clicks for the network that finds the lesion's extent
  scripts/train_lesion_voi.py extent --work WORK --fold K                  that network
  scripts/train_lesion_voi.py export --work WORK --models models --release 0.1.0
      networks of all folds and cards that state the training alone, to be measured (scripts/measure_lesion_voi.py)
  scripts/train_lesion_voi.py card --work WORK --models models --release 0.1.0 --table SARCOMAS.csv --inserted INSERTED.csv
      the cards with the figures of those tables
"""
import argparse
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("stage", choices=["start", "fold", "looks", "clicks", "extent", "export", "card"])
parser.add_argument("--data", type=pathlib.Path)
parser.add_argument("--work", type=pathlib.Path, required=True)
parser.add_argument("--fold", type=int, default=-1)
parser.add_argument("--steps", type=int, help="of the whole schedule; a run is not resumed with another number")
parser.add_argument("--stop", type=int, help="end after this step, to be taken up again")
parser.add_argument("--minutes", type=float, default=1e9, help="end after this time, to be taken up again")
parser.add_argument("--seed", type=int, default=7)
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--jobs", type=int, default=1, help="processes that draw clicks")
parser.add_argument("--models", type=pathlib.Path, default="models")
parser.add_argument("--release", default="0.1.0", help="version of the models written")
parser.add_argument("--note", default="", help="what a reader of the card must know of this training")
parser.add_argument("--table", type=pathlib.Path, help="of the sarcoma patients")
parser.add_argument("--inserted", type=pathlib.Path, help="of the inserted lesions")
args = parser.parse_args()
os.environ["OMP_NUM_THREADS"] = str(args.threads)

import torch  # noqa: E402

from lesion_voi import train  # noqa: E402

torch.set_num_threads(args.threads)
args.work.mkdir(parents=True, exist_ok=True)
if args.stage in ("export", "card"):
    from lesion_voi import export

    export.models(args)
    sys.exit()
if args.stage == "clicks":
    from lesion_voi import extent_cases

    extent_cases.draw(args.data, args.work / "clicks.npz", args.seed, args.jobs)
    sys.exit()
if args.stage == "extent":
    from lesion_voi import extent_train

    settings = {"seed": args.seed + 2, "fold": args.fold, "steps": args.steps or 6000, "rate": 3e-3}
    run = extent_train.Sizing(args.work / f"extent{args.fold}.pt", settings)
    run.train(extent_train.Pool(args.work / "clicks.npz", args.fold), args.stop, args.minutes)
    sys.exit()
if args.stage == "start":
    settings = {"seed": args.seed, "fold": -1, "steps": args.steps or 3000, "rate": 3e-3}
    path = args.work / "start.pt"
elif args.stage == "looks":
    settings = {"seed": args.seed + 1, "fold": args.fold, "steps": args.steps or 8000, "rate": 1.5e-3, "any_scale": True,
                "start": str(args.work / f"fold{args.fold}.pt")}
    path = args.work / f"looks{args.fold}.pt"
else:
    settings = {"seed": args.seed, "fold": args.fold, "steps": args.steps or 2500, "rate": 2e-3,
                "start": str(args.work / "start.pt")}
    path = args.work / f"fold{args.fold}.pt"
run = train.Outlining(path, settings)
sources, names = train.sources_of(args.data, settings["fold"])
run.train(sources, args.stop, args.minutes)
