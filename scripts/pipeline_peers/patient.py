"""One patient of two visits as DICOM, 512 x 512 x 300 voxels of 0.7 mm, with masks, made of a pair of `make_registration_pairs.py`; and a
table for survival: `python -m pipeline_peers.patient PAIR ARCHIVE TABLE`."""

import datetime
import sys
from pathlib import Path

import numpy as np
import pydicom
import SimpleITK as sitk
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

SHAPE, SPACING_MM = (512, 512, 300), 0.7
BASELINE, TREATED, FOLLOW_UP = "2020-03-02", "2020-03-20", "2020-05-11"
ID = "P1"


def on_large_grid(source, like, is_mask):
    """An image on the visit's grid, round the middle of `like`."""
    image = sitk.ReadImage(str(source))
    frame = sitk.ReadImage(str(like))
    middle = np.array(frame.TransformContinuousIndexToPhysicalPoint([(n - 1) / 2 for n in frame.GetSize()]))
    axes = np.array(frame.GetDirection()).reshape(3, 3)
    origin = middle - axes @ ((np.array(SHAPE) - 1) * SPACING_MM / 2)
    how = sitk.sitkNearestNeighbor if is_mask else sitk.sitkLinear
    grid = sitk.Image(SHAPE, sitk.sitkUInt8)
    grid.SetSpacing([SPACING_MM] * 3)
    grid.SetOrigin(origin.tolist())
    grid.SetDirection(frame.GetDirection())
    return sitk.Resample(image, grid, sitk.Transform(), how, 0 if is_mask else -1000)


def write_series(folder, image, day, root):
    """One file a slice."""
    folder.mkdir(parents=True)
    voxels = np.clip(np.round(sitk.GetArrayFromImage(image)), -1024, 3000).astype(np.int16)
    axes = np.array(image.GetDirection()).reshape(3, 3)
    date = day.replace("-", "")
    for k, plane in enumerate(voxels):
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID = CTImageStorage
        meta.MediaStorageSOPInstanceUID = f"{root}.3.{k + 1}"
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        at = image.TransformIndexToPhysicalPoint((0, 0, k))
        header = dict(
            SOPClassUID=CTImageStorage, SOPInstanceUID=f"{root}.3.{k + 1}", StudyInstanceUID=f"{root}.1", SeriesInstanceUID=f"{root}.2",
            FrameOfReferenceUID=f"{root}.4", PatientID=ID, PatientName="", Modality="CT", StudyDate=date, SeriesDate=date, AcquisitionDate=date,
            StudyTime="090000", SeriesDescription="Abdomen portal venous", ImageType=["ORIGINAL", "PRIMARY", "AXIAL"], Rows=SHAPE[1],
            Columns=SHAPE[0], PixelSpacing=[SPACING_MM] * 2, SliceThickness=SPACING_MM, InstanceNumber=k + 1,
            ImagePositionPatient=[f"{v:.6f}" for v in at], ImageOrientationPatient=[f"{v:.8f}" for v in [*axes[:, 0], *axes[:, 1]]],
            SamplesPerPixel=1, PhotometricInterpretation="MONOCHROME2", BitsAllocated=16, BitsStored=16, HighBit=15,
            PixelRepresentation=1, RescaleIntercept=0, RescaleSlope=1, RescaleType="HU", KVP=120, Manufacturer="phantom",
        )
        data = FileDataset(str(folder / f"{k:03}.dcm"), {}, file_meta=meta, preamble=b"\0" * 128)
        for name, value in header.items():
            setattr(data, name, value)
        data.PixelData = plane.tobytes()
        pydicom.dcmwrite(str(folder / f"{k:03}.dcm"), data, enforce_file_format=True)


def make(pair, archive):
    """Images, masks, clinical tables, study file; not timed."""
    started = datetime.datetime.now()
    for day, which, root in [(BASELINE, "fixed", "1.2.826.0.1.99.1"), (FOLLOW_UP, "moving", "1.2.826.0.1.99.2")]:
        frame = pair / f"{which}.nii.gz"
        write_series(archive / which, on_large_grid(frame, frame, False), day, root)
        masks = archive / "masks" / ID / day
        masks.mkdir(parents=True)
        organ = on_large_grid(pair / f"{which}_liver.nii.gz", frame, True)
        sitk.WriteImage(sitk.Cast(organ, sitk.sitkUInt16), str(masks / "organ.nii.gz"), True)
        tumour = on_large_grid(pair / "fixed_tumour.nii.gz", frame, True) if which == "fixed" else organ * 0
        sitk.WriteImage(sitk.Cast(tumour, sitk.sitkUInt16), str(masks / "lesions.nii.gz"), True)
        if which == "moving":
            zone = on_large_grid(pair / "moving_zone.nii.gz", frame, True)
            sitk.WriteImage(sitk.Cast(zone, sitk.sitkUInt16), str(masks / "ablation_zone.nii.gz"), True)
        (masks / "lesions.csv").write_text("label,organ,kind\n1,liver,lesion\n")
    clinical = archive / "clinical"
    clinical.mkdir()
    (clinical / "patients.csv").write_text(f"patient_id,diagnosis,death_date,last_contact_date\n{ID},HCC,,2020-12-01\n")
    (clinical / "treatments.csv").write_text(f"patient_id,date,session,modality\n{ID},{TREATED},1,MWA\n")
    print(f"the patient was made in {(datetime.datetime.now() - started).seconds} s", flush=True)


def table(path, n_rows=500):
    """Times to an event of two groups with one covariate."""
    rng = np.random.default_rng(1)
    group = rng.integers(0, 2, n_rows)
    size = rng.normal(30, 8, n_rows)
    times = rng.exponential(20 / np.exp(0.4 * group + 0.02 * (size - 30)))
    ends = rng.uniform(6, 60, n_rows)
    lines = ["months,event,arm,size_mm"]
    lines += [f"{min(t, e):.2f},{int(t <= e)},{'AB'[g]},{s:.1f}" for t, e, g, s in zip(times, ends, group, size)]
    Path(path).write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    Path(sys.argv[2]).mkdir()
    make(Path(sys.argv[1]), Path(sys.argv[2]))
    table(sys.argv[3])
