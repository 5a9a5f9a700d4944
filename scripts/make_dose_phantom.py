#!/usr/bin/env python3
"""Writes a radiotherapy dose (RTDOSE) in the frame of reference of the tests' cohort, and what pydicom and SimpleITK say of the
dose in its lesion.

    scripts/make_dose_phantom.py FOLDER        rtdose.dcm and expected.json

The dose is oblique, anisotropic, 32 bits, written top plane first, steeper along x than along y and z. The lesion is that of patient
1 at baseline (`pipeline/lesiontrace/tests/files/cohort.rs`): an ellipsoid on the image's voxels. Needs Python with: pydicom
SimpleITK numpy.
"""

import json
import sys
from pathlib import Path

import numpy as np
import pydicom
import SimpleITK as sitk
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

TURN = np.array([[0.8940032, -0.26208, 0.3634176], [0.3634176, 0.89856, -0.2460032], [-0.26208, 0.352, 0.89856]])
SPACING, ORIGIN, SHAPE = np.array([3.0, 2.6, 5.0]), np.array([-30.5, 12.25, -48.0]), (24, 24, 12)
CENTRE, HALF = np.array([40.2, 29.5, 27.1]), np.array([9.0, 7.2, 9.0])
UID = "1.2.826.0.1.88"
# Another orientation than the image's, voxels of 4 x 3.5 x 6 mm, large enough to hold the lesion.
ANGLE = np.deg2rad(20)
AXES = np.array([[np.cos(ANGLE), -np.sin(ANGLE), 0], [np.sin(ANGLE), np.cos(ANGLE), 0], [0, 0, 1.0]])
DOSE_SPACING, DOSE_SHAPE = np.array([4.0, 3.5, 6.0]), (20, 22, 14)


def lesion_points():
    """Patient coordinates of the voxels of the lesion."""
    index = np.stack(np.meshgrid(*[np.arange(n) for n in SHAPE], indexing="ij"), axis=-1).reshape(-1, 3)
    inside = (((index * SPACING - CENTRE) / HALF) ** 2).sum(axis=1) <= 1.0
    return index[inside] * SPACING @ TURN.T + ORIGIN


def dose_at(points):
    x, y, z = (points - lesion_points().mean(axis=0)).T
    return 50.0 * np.exp(-((x / 22) ** 2 + (y / 35) ** 2 + (z / 40) ** 2)) + 0.2 * x + 6.0


def write(path):
    corner = lesion_points().mean(axis=0) - AXES @ (DOSE_SPACING * (np.array(DOSE_SHAPE) - 1) / 2 + [1.3, -0.7, 0.9])
    index = np.stack(np.meshgrid(*[np.arange(n) for n in DOSE_SHAPE], indexing="ij"), axis=-1)
    gray = dose_at((index.reshape(-1, 3) * DOSE_SPACING) @ AXES.T + corner).reshape(DOSE_SHAPE)
    scaling = 1e-6
    stored = np.round(gray / scaling).astype("<u4")
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.481.2"
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = f"{UID}.7.1"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = f"{UID}.1.20200302.1", f"{UID}.7.9"
    ds.FrameOfReferenceUID = f"{UID}.1.20200302"
    ds.PatientID, ds.PatientName, ds.Modality, ds.Manufacturer = "A-1", "", "RTDOSE", "test"
    ds.StudyDate, ds.StudyTime, ds.InstanceNumber = "20200302", "120000", 1
    ds.DoseUnits, ds.DoseType, ds.DoseSummationType, ds.DoseGridScaling = "GY", "PHYSICAL", "PLAN", "1e-6"
    ds.Rows, ds.Columns, ds.NumberOfFrames = DOSE_SHAPE[1], DOSE_SHAPE[0], DOSE_SHAPE[2]
    ds.PixelSpacing = [DOSE_SPACING[1], DOSE_SPACING[0]]
    # Top plane first: offsets run against the normal.
    top = corner + AXES[:, 2] * DOSE_SPACING[2] * (DOSE_SHAPE[2] - 1)
    ds.ImagePositionPatient = [f"{v:.9f}" for v in top]
    ds.ImageOrientationPatient = [f"{v:.12f}" for v in [*AXES[:, 0], *AXES[:, 1]]]
    ds.GridFrameOffsetVector = [float(-k * DOSE_SPACING[2]) for k in range(DOSE_SHAPE[2])]
    ds.FrameIncrementPointer = pydicom.tag.Tag(0x3004, 0x000C)
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PixelRepresentation = 1, "MONOCHROME2", 0
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 32, 32, 31
    ds.PixelData = np.ascontiguousarray(stored.transpose(2, 1, 0)[::-1]).tobytes()
    ds.save_as(path, enforce_file_format=True)


def expected(path):
    """pydicom reads the numbers and the place, SimpleITK reads between them."""
    ds = pydicom.dcmread(path)
    gray = ds.pixel_array.astype(float) * float(ds.DoseGridScaling)
    image = sitk.GetImageFromArray(gray[::-1])
    x, y = np.array(ds.ImageOrientationPatient[:3], float), np.array(ds.ImageOrientationPatient[3:], float)
    normal, offsets = np.cross(x, y), [float(v) for v in ds.GridFrameOffsetVector]
    image.SetDirection(np.stack([x, y, normal], axis=1).ravel().tolist())
    image.SetSpacing([float(ds.PixelSpacing[1]), float(ds.PixelSpacing[0]), abs(offsets[1] - offsets[0])])
    image.SetOrigin((np.array(ds.ImagePositionPatient, float) + normal * offsets[-1]).tolist())
    values = []
    for point in lesion_points():
        at = image.TransformPhysicalPointToContinuousIndex(point.tolist())
        values.append(image.EvaluateAtContinuousIndex(at, sitk.sitkLinear))
    values = np.sort(np.array(values))
    n = len(values)
    return {
        "tools": f"pydicom {pydicom.__version__}, SimpleITK {sitk.__version__}, numpy {np.__version__}",
        "n_voxels": n,
        "dose_mean": float(values.mean()),
        "dose_min": float(values[0]),
        "dose_max": float(values[-1]),
        "dose_d95": float(values[int(np.floor(0.05 * n))]),
        "dose_d90": float(values[int(np.floor(0.10 * n))]),
        "dose_d98": float(values[int(np.floor(0.02 * n))]),
        "dose_v20gy": float((values >= 20.0).mean() * 100.0),
    }


def main():
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / "rtdose.dcm")
    (folder / "expected.json").write_text(json.dumps(expected(folder / "rtdose.dcm"), indent=2) + "\n")


if __name__ == "__main__":
    main()
