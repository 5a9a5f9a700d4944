#!/usr/bin/env python3
"""Makes the structured report and the segmentation of `test_data/oracles/sr` with highdicom; prints where its lesions lie.

    scripts/make_measurement_report.py [FOLDER]

Three measurement groups on one oblique CT slice of 0.8 x 0.6 mm: a diameter drawn as a line in pixels (SCOORD), an outline in
the patient (SCOORD3D), and a volume measured on a segment. Needs Python with: highdicom pydicom numpy.
"""

import datetime
import sys
from pathlib import Path

import numpy as np
from highdicom import UID, AlgorithmIdentificationSequence
from highdicom.seg import (SegmentAlgorithmTypeValues, SegmentationTypeValues, Segmentation, SegmentDescription)
from highdicom.sr import (CodedConcept, Comprehensive3DSR, FindingSite, GraphicTypeValues,
                          GraphicTypeValues3D, ImageRegion, ImageRegion3D, Measurement, MeasurementReport,
                          MeasurementStatisticalProperties, ObservationContext, ObserverContext,
                          PersonObserverIdentifyingAttributes, PlanarROIMeasurementsAndQualitativeEvaluations,
                          ReferencedSegment, SourceImageForRegion, SourceImageForSegmentation, TrackingIdentifier,
                          VolumetricROIMeasurementsAndQualitativeEvaluations)
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sr.codedict import codes
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, SegmentationStorage

POSITION, SPACING = [-120.5, 40.25, -310.0], [0.6, 0.8]  # between rows, between columns
ORIENTATION = [0.96, 0.28, 0.0, -0.28, 0.96, 0.0]


def image():
    """The CT slice the report refers to; its pixels play no part."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID, ds.SOPInstanceUID, ds.Modality = CTImageStorage, "1.2.826.0.1.55.3", "CT"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = "1.2.826.0.1.55.1", "1.2.826.0.1.55.2"
    ds.FrameOfReferenceUID, ds.PatientID, ds.PatientName = "1.2.826.0.1.55.9", "SR-1", ""
    ds.PatientBirthDate, ds.PatientSex, ds.AccessionNumber, ds.StudyID = "", "", "", ""
    ds.StudyDate, ds.StudyTime, ds.ReferringPhysicianName = "20200302", "090000", ""
    ds.Rows, ds.Columns = 64, 64
    ds.ImagePositionPatient, ds.ImageOrientationPatient, ds.PixelSpacing = POSITION, ORIENTATION, SPACING
    return ds


def segmentation():
    """Four slices: the liver, a neoplasm of 9 x 7 x 2 voxels, a spleen."""
    slices = []
    for k, last in enumerate(("3", "31", "32", "33")):
        ds = image()
        ds.SOPInstanceUID = f"1.2.826.0.1.55.{last}"
        ds.ImagePositionPatient = [POSITION[0], POSITION[1], POSITION[2] + 3.0 * k]
        ds.SliceThickness = 3.0
        slices.append(ds)
    pixels = np.zeros((4, 64, 64, 3), np.uint8)
    pixels[:, 10:50, 8:56, 0] = 1
    pixels[1:3, 20:27, 30:39, 1] = 1
    pixels[:2, 55:60, 55:60, 2] = 1
    algorithm = AlgorithmIdentificationSequence("by hand", codes.DCM.ArtificialIntelligence, "1")

    def segment(number, label, kind, category):
        return SegmentDescription(number, label, category, kind, SegmentAlgorithmTypeValues.SEMIAUTOMATIC,
                                  algorithm_identification=algorithm)

    return Segmentation(
        slices, pixels, SegmentationTypeValues.BINARY,
        [segment(1, "Liver", codes.SCT.Liver, codes.SCT.Organ),
         segment(2, "Segment_2", codes.SCT.Neoplasm, codes.SCT.MorphologicallyAbnormalStructure),
         segment(3, "blob", codes.SCT.Spleen, codes.SCT.Organ)],
        "1.2.826.0.1.55.4", 8, "1.2.826.0.1.55.5", 1, "test", "test", "1", "1", content_label="TEST")


def to_patient(column, row):
    """Image coordinates (0.5, 0.5 is the first pixel's centre) to LPS mm."""
    x, y = np.array(ORIENTATION[:3]), np.array(ORIENTATION[3:])
    return np.array(POSITION) + (column - 0.5) * SPACING[1] * x + (row - 0.5) * SPACING[0] * y


def tracked(name, uid):
    return TrackingIdentifier(identifier=name, uid=UID(uid))


def measured(concept, number, unit, **more):
    return Measurement(name=concept, value=number, unit=unit, **more)


def groups(ct, seg):
    liver = FindingSite(anatomic_location=codes.SCT.Liver)
    line = np.array([[10.5, 20.5], [30.5, 35.5]])
    source = SourceImageForRegion(referenced_sop_class_uid=CTImageStorage,
                                  referenced_sop_instance_uid=ct.SOPInstanceUID)
    planar = PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=tracked("T1", "1.2.826.0.1.55.21"),
        referenced_region=ImageRegion(GraphicTypeValues.POLYLINE, line, source_image=source),
        finding_type=codes.SCT.Neoplasm, finding_sites=[liver],
        measurements=[measured(codes.SCT.LongAxis, 1.835755975, codes.UCUM.Centimeter),
                      measured(codes.SCT.ShortAxis, 9.25, codes.UCUM.Millimeter)])
    corners = np.array([[5.0, -60.0, 12.5], [15.0, -60.0, 12.5], [15.0, -44.0, 12.5], [5.0, -44.0, 12.5],
                        [5.0, -60.0, 12.5]])
    outline = PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=tracked("T2", "1.2.826.0.1.55.22"),
        referenced_region=ImageRegion3D(GraphicTypeValues3D.POLYGON, corners, ct.FrameOfReferenceUID),
        finding_type=codes.SCT.Neoplasm,
        measurements=[measured(CodedConcept("126401", "DCM", "SUVbw"), 6.25,
                               CodedConcept("{SUVbw}g/ml", "UCUM", "SUVbw"), derivation=codes.SCT.Maximum)])
    volume = VolumetricROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=tracked("T3", "1.2.826.0.1.55.23"),
        referenced_segment=ReferencedSegment(
            sop_class_uid=SegmentationStorage, sop_instance_uid=seg.SOPInstanceUID, segment_number=2,
            source_images=[SourceImageForSegmentation(CTImageStorage, ct.SOPInstanceUID)]),
        finding_type=codes.SCT.Neoplasm, finding_sites=[liver],
        measurements=[measured(codes.SCT.Volume, 4218.75, codes.UCUM.CubicMillimeter),
                      measured(codes.SCT.LongAxis, 3.0, codes.UCUM.Second)])
    return line, corners, [planar, outline, volume]


def main():
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "test_data/oracles/sr")
    folder.mkdir(parents=True, exist_ok=True)
    ct = image()
    seg = segmentation()
    observer = ObserverContext(observer_type=codes.DCM.Person,
                               observer_identifying_attributes=PersonObserverIdentifyingAttributes(name="Reader^One"))
    line, corners, lesions = groups(ct, seg)
    report = MeasurementReport(observation_context=ObservationContext(observer_person_context=observer),
                               procedure_reported=codes.LN.CTUnspecifiedBodyRegion, imaging_measurements=lesions)
    sr = Comprehensive3DSR(evidence=[ct, seg], content=report, series_instance_uid="1.2.826.0.1.55.6", series_number=9,
                           sop_instance_uid="1.2.826.0.1.55.7", instance_number=1, manufacturer="test",
                           is_complete=True, is_final=True)
    now = datetime.datetime(2020, 3, 2, 10, 0, 0)
    for tag in ("InstanceCreationDate", "ContentDate", "SeriesDate"):
        if tag in sr:
            setattr(sr, tag, now.strftime("%Y%m%d"))
    for tag in ("InstanceCreationTime", "ContentTime", "SeriesTime"):
        if tag in sr:
            setattr(sr, tag, now.strftime("%H%M%S"))
    sr.save_as(folder / "measurement_report.dcm", enforce_file_format=True)
    seg.save_as(folder / "segmentation.dcm", enforce_file_format=True)
    print("T1, middle of the line, LPS mm:", to_patient(*line.mean(axis=0)).tolist())
    print("T2, mean of the corners, LPS mm:", corners[:4].mean(axis=0).tolist())


if __name__ == "__main__":
    main()
