#!/usr/bin/env python3
"""Draws series to label by hand as a hold-out for the series rules, none of them among those the rules were made on.

    draw_series_holdout.py INDEX.csv LABELS.csv > to_label.csv

INDEX.csv is the index of the collections (../shared/data/index/idc_series.csv), LABELS.csv the labels there are
(test_data/series_roles/labels.csv). 60 CT series come from patients without a labelled series, one series a description and at
most three a patient. MR is left in labelled patients only: 40 MR series whose description no labelled series has, one a
description while they last. The seed is fixed; the same files give the same rows. Needs Python 3 alone.
"""

import csv
import random
import sys

SEED = 20261121
N_CT, N_MR = 60, 40
MOST_A_PATIENT = 3


def main(index: str, labels: str) -> None:
    rows = [row for row in csv.DictReader(open(index, newline="")) if row["Modality"] in ("CT", "MR")]
    labelled = {row["series_uid"] for row in csv.DictReader(open(labels, newline=""))}
    patients = {row["PatientID"] for row in rows if row["SeriesInstanceUID"] in labelled}
    seen = {row["SeriesDescription"] for row in rows if row["SeriesInstanceUID"] in labelled}
    ct = [row for row in rows if row["Modality"] == "CT" and row["PatientID"] not in patients]
    mr = [row for row in rows if row["Modality"] == "MR" and row["SeriesDescription"] not in seen]
    drawn = draw(ct, N_CT) + draw(mr, N_MR)
    out = csv.writer(sys.stdout, lineterminator="\n")
    names = ["SeriesInstanceUID", "Modality", "SeriesDescription", "StudyDescription", "instanceCount"]
    out.writerow(names)
    out.writerows([row[name] for name in names] for row in drawn)


def draw(rows: list[dict], n: int) -> list[dict]:
    """Rows in random order: first one a description, then what is missing from the rest."""
    rows = sorted(rows, key=lambda row: row["SeriesInstanceUID"])
    random.Random(SEED).shuffle(rows)
    taken, descriptions, of_patient = [], set(), {}
    for again in (False, True):
        for row in rows:
            patient, description = row["PatientID"], row["SeriesDescription"]
            if len(taken) == n or row in taken or of_patient.get(patient, 0) >= MOST_A_PATIENT * (1 + again):
                continue
            if description in descriptions and not again:
                continue
            descriptions.add(description)
            of_patient[patient] = of_patient.get(patient, 0) + 1
            taken.append(row)
    return taken


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
