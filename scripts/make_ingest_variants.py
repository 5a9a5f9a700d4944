#!/usr/bin/env python3
"""Writes series whose voxels are known, one folder for each way an archive may hold them: encodings, geometries, multi-frame.

    scripts/make_ingest_variants.py DIR
    scripts/make_ingest_variants.py --segmentation FILE.dcm    three overlapping segments on the axial stack, by highdicom

`scripts/compare_ingest` makes them for itself. The slices are oblique, anisotropic and off-centre, because symmetry hides
flips. Needs Python with: pydicom numpy highdicom imagecodecs python-gdcm pyjpegls pylibjpeg pylibjpeg-openjpeg.
"""

import copy
import sys
import warnings
from pathlib import Path

import imagecodecs
import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import (CTImageStorage, DeflatedExplicitVRLittleEndian, EnhancedCTImageStorage, EnhancedMRImageStorage,
                         ExplicitVRBigEndian, ExplicitVRLittleEndian, HTJ2K, HTJ2KLossless, HTJ2KLosslessRPCL,
                         ImplicitVRLittleEndian, JPEG2000, JPEG2000Lossless, JPEGBaseline8Bit, JPEGLossless,
                         JPEGLosslessSV1, JPEGLSLossless, JPEGLSNearLossless, MRImageStorage, RLELossless)

warnings.filterwarnings("ignore")
pydicom.config.settings.writing_validation_mode = pydicom.config.IGNORE
ROWS, COLUMNS, SLICES = 20, 24, 9
SPACING = (0.9, 0.7, 3.0)  # between rows, between columns, between slices
ORIGIN = np.array([-113.4, 41.9, 612.1])


def rotation(a, b, c):
    """Row direction, column direction and normal as columns."""
    x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return z @ y @ x


OBLIQUE = rotation(0.21, -0.13, 0.37)
AXIAL = np.eye(3)
PLANES = {
    "axial": AXIAL,
    "oblique": OBLIQUE,
    "sagittal": np.array([[0, 0, -1], [1, 0, 0], [0, -1, 0]], float),
    "coronal": np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]], float),
    "decubitus_left": np.array([[0, 1, 0], [-1, 0, 0], [0, 0, 1]], float),
    "prone": np.array([[-1, 0, 0], [0, -1, 0], [0, 0, 1]], float),
    "feet_first": np.array([[-1, 0, 0], [0, 1, 0], [0, 0, -1]], float),
}


def noise(bits, signed):
    """The stored numbers [k, j, i]: a ramp with noise that fills the bits and has no symmetry."""
    rng = np.random.default_rng(7)
    k, j, i = np.mgrid[0:SLICES, 0:ROWS, 0:COLUMNS]
    top = 2**bits - 1
    values = ((i * 3 + j * 17 + k * 101) % (top // 2) + rng.integers(0, top // 2, k.shape)).clip(0, top)
    values[0, 0, :2] = 0, top
    return values - 2**(bits - 1) if signed else values


def slices(stored, directions=OBLIQUE, offsets=None, allocated=16, bits=12, signed=False, modality="CT", lean=None):
    """One data set a slice. `offsets`: mm along the normal; `lean`: mm along the column direction for each mm of height."""
    offsets = np.arange(len(stored)) * SPACING[2] if offsets is None else offsets
    row, column, normal = directions.T
    made = []
    for k, (plane, height) in enumerate(zip(stored, offsets)):
        meta = FileMetaDataset()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        meta.MediaStorageSOPClassUID = CTImageStorage if modality == "CT" else MRImageStorage
        meta.MediaStorageSOPInstanceUID = f"1.2.826.0.1.{k + 1}"
        d = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
        d.SOPClassUID, d.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
        d.PatientID, d.PatientName, d.PatientBirthDate, d.PatientSex = "P1", "", "", "F"
        d.StudyDate, d.StudyTime, d.SeriesDate, d.SeriesTime = "20210304", "100000", "20210304", "100000"
        d.AcquisitionDate, d.AcquisitionTime, d.ContentDate, d.ContentTime = "20210304", "100000", "20210304", "100000"
        d.AccessionNumber, d.StudyID, d.Manufacturer, d.ReferringPhysicianName = "", "1", "none", ""
        d.Modality, d.SeriesDescription, d.SeriesNumber = modality, "portal venous", 3
        d.StudyInstanceUID, d.SeriesInstanceUID, d.FrameOfReferenceUID = "1.2.3", "1.2.3.4", "1.2.3.5"
        d.PositionReferenceIndicator = ""
        d.ImageType, d.PatientPosition = ["ORIGINAL", "PRIMARY", "AXIAL"], "HFS"
        d.InstanceNumber, d.AcquisitionNumber, d.KVP = k + 1, 1, 120
        position = ORIGIN + normal * height + (column * lean * height if lean else 0)
        d.ImagePositionPatient = [f"{v:.9g}" for v in position]
        d.ImageOrientationPatient = [f"{v:.9g}" for v in (*row, *column)]
        d.PixelSpacing, d.SliceThickness = list(SPACING[:2]), SPACING[2]
        d.Rows, d.Columns, d.SamplesPerPixel, d.PhotometricInterpretation = *plane.shape, 1, "MONOCHROME2"
        d.BitsAllocated, d.BitsStored, d.HighBit, d.PixelRepresentation = allocated, bits, bits - 1, int(signed)
        d.RescaleSlope, d.RescaleIntercept, d.RescaleType = 1, -1024, "HU"
        d.PixelData = plane.astype(f"<{'i' if signed else 'u'}{allocated // 8}").tobytes()
        made.append(d)
    return made


class Known:
    """The values written, by place: the voxel at a point of one of the slices."""

    def __init__(self, sets, values):
        self.planes = []
        for d, plane in zip(sets, values):
            row, column = np.array(d.ImageOrientationPatient, float).reshape(2, 3)
            self.planes.append((np.array(d.ImagePositionPatient, float), row, column, plane))

    def at(self, points):
        """Values at points [n, 3]; NaN where there is no voxel within 0.01 mm."""
        out = np.full(len(points), np.nan)
        for position, row, column, plane in self.planes:
            offset = points - position
            i, j = offset @ row / SPACING[1], offset @ column / SPACING[0]
            on = np.abs(offset @ np.cross(row, column)) < 0.01
            whole = (np.abs(i - np.rint(i)) < 0.01) & (np.abs(j - np.rint(j)) < 0.01)
            i, j = np.rint(i).astype(int), np.rint(j).astype(int)
            on &= whole & (i >= 0) & (j >= 0) & (i < plane.shape[1]) & (j < plane.shape[0])
            out[on] = plane[j[on], i[on]]
        return out


class Linear:
    """A linear function of the place, which linear interpolation must give back wherever slices reach."""

    weights = np.array([2.0, -3.0, 5.0])

    def __init__(self, sets):
        self.planes = [(np.array(d.ImagePositionPatient, float), np.array(d.ImageOrientationPatient, float)) for d in sets]

    @classmethod
    def value(cls, points):
        return (points - ORIGIN) @ cls.weights

    def at(self, points):
        """Values at points [n, 3]; NaN where the voxel centres of the slices below and above do not surround one."""
        row, column = self.planes[0][1].reshape(2, 3)
        normal = np.cross(row, column)
        heights = np.array([position @ normal for position, _ in self.planes])
        above = np.searchsorted(heights, points @ normal - 0.001).clip(0, len(heights) - 1)
        on = np.abs(heights[above] - points @ normal) < 0.001
        out = self.value(points)
        for plane in (above, np.where(on, above, above - 1)):
            offset = points - np.array([self.planes[n][0] for n in plane])
            i, j = offset @ row / SPACING[1], offset @ column / SPACING[0]
            out[(i < -1e-6) | (j < -1e-6) | (i > COLUMNS - 1 + 1e-6) | (j > ROWS - 1 + 1e-6)] = np.nan
        return out


def linear_slices(**options):
    """Slices whose values are the linear function, in steps of 1/64."""
    n = len(options.get("offsets", range(SLICES)))
    sets = slices(np.zeros((n, ROWS, COLUMNS), int), bits=16, signed=True, **options)
    j, i = np.mgrid[0:ROWS, 0:COLUMNS]
    for d in sets:
        row, column = np.array(d.ImageOrientationPatient, float).reshape(2, 3)
        points = np.array(d.ImagePositionPatient, float) + i[..., None] * row * SPACING[1] + j[..., None] * column * SPACING[0]
        d.PixelData = np.rint(Linear.value(points) * 64).astype("<i2").tobytes()
        d.RescaleSlope, d.RescaleIntercept = 1 / 64, 0
    return sets


def write(folder, sets, syntax=ExplicitVRLittleEndian):
    folder.mkdir(parents=True, exist_ok=True)
    for n, d in enumerate(sets):
        path = folder / f"IM{(n * 7 + 3) % len(sets):04d}.dcm" if len(sets) % 7 else folder / f"IM{n:04d}.dcm"
        if syntax == ExplicitVRBigEndian:
            d = copy.deepcopy(d)
            d.PixelData = np.frombuffer(d.PixelData, f"<u{d.BitsAllocated // 8}").byteswap().tobytes()
            d["PixelData"].VR = "OB" if d.BitsAllocated == 8 else "OW"  # bytes of words are exchanged, single bytes are not
            d.file_meta.TransferSyntaxUID = syntax
            pydicom.dcmwrite(path, d, implicit_vr=False, little_endian=False, force_encoding=True)
            continue
        d.file_meta.TransferSyntaxUID = syntax
        d.save_as(path, enforce_file_format=True)


def as_hu(sets):
    """What was written, rescaled, plane by plane."""
    out = []
    for d in sets:
        kind = f"<{'i' if d.PixelRepresentation else 'u'}{d.BitsAllocated // 8}"
        plane = np.frombuffer(d.PixelData, kind).reshape(d.Rows, d.Columns).astype(float)
        out.append(plane * float(d.RescaleSlope) + float(d.RescaleIntercept))
    return out


def encoders():
    """Transfer syntax and the function from a plane to its code."""
    return {
        "jpeg_lossless": (JPEGLossless, lambda p, bits: imagecodecs.ljpeg_encode(p, bitspersample=bits)),
        "jpeg_lossless_sv1": (JPEGLosslessSV1, lambda p, bits: imagecodecs.ljpeg_encode(p, bitspersample=bits)),
        "jpeg_ls": (JPEGLSLossless, lambda p, bits: imagecodecs.jpegls_encode(p)),
        "jpeg_ls_near": (JPEGLSNearLossless, lambda p, bits: imagecodecs.jpegls_encode(p, level=2)),
        "jpeg_2000": (JPEG2000Lossless,
                      lambda p, bits: imagecodecs.jpeg2k_encode(p, codecformat="J2K", reversible=True, bitspersample=bits)),
        "jpeg_2000_lossy": (JPEG2000,
                            lambda p, bits: imagecodecs.jpeg2k_encode(p, 40, codecformat="J2K", bitspersample=bits)),
        "htj2k": (HTJ2KLossless, lambda p, bits: imagecodecs.htj2k_encode(p, reversible=True)),
        "htj2k_rpcl": (HTJ2KLosslessRPCL, lambda p, bits: imagecodecs.htj2k_encode(p, reversible=True)),  # RPCL as it is
        "htj2k_lossy": (HTJ2K, lambda p, bits: imagecodecs.htj2k_encode(p, 0.001, reversible=False)),
    }


def compressed(sets, syntax, encode):
    out = []
    for d in sets:
        kind = f"<{'i' if d.PixelRepresentation else 'u'}{d.BitsAllocated // 8}"
        plane = np.frombuffer(d.PixelData, kind).reshape(d.Rows, d.Columns)
        d = copy.deepcopy(d)
        d.PixelData = encapsulate([encode(np.ascontiguousarray(plane), d.BitsStored)])
        d["PixelData"].is_undefined_length = True
        d.file_meta.TransferSyntaxUID = syntax
        out.append(d)
    return out


def run_length_code(plane):
    """PS3.5 annex G for pixels of any width (pydicom writes no more than 16 bits): one segment a byte, highest first."""
    raw = np.ascontiguousarray(plane).view("u1").reshape(*plane.shape, -1)
    segments = []
    for byte in range(raw.shape[2] - 1, -1, -1):
        code = b"".join(bytes([len(part) - 1]) + part.tobytes() for row in raw[..., byte]
                        for part in np.array_split(row, -(-len(row) // 128)))
        segments.append(code + b"\0" * (len(code) % 2))
    starts = np.cumsum([64] + [len(code) for code in segments[:-1]])
    header = np.zeros(16, "<u4")
    header[0], header[1:len(starts) + 1] = len(segments), starts
    return header.tobytes() + b"".join(segments)


def multi_frame(sets, sop_class, order, keep=()):
    """An enhanced object from single slices, frames in the order given."""
    d = copy.deepcopy(sets[0])
    d.SOPClassUID = d.file_meta.MediaStorageSOPClassUID = sop_class
    per_frame = []
    for place in order:
        single = sets[place]
        item = Dataset()
        position, content, rescale = Dataset(), Dataset(), Dataset()
        position.ImagePositionPatient = single.ImagePositionPatient
        content.StackID, content.InStackPositionNumber = "1", place + 1
        content.DimensionIndexValues = [1, place + 1]
        rescale.RescaleSlope, rescale.RescaleIntercept = single.RescaleSlope, single.RescaleIntercept
        rescale.RescaleType = "HU"
        item.PlanePositionSequence, item.FrameContentSequence = Sequence([position]), Sequence([content])
        item.PixelValueTransformationSequence = Sequence([rescale])
        per_frame.append(item)
    shared, measures, orientation = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness = sets[0].PixelSpacing, sets[0].SliceThickness
    measures.SpacingBetweenSlices = SPACING[2]
    orientation.ImageOrientationPatient = sets[0].ImageOrientationPatient
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = Sequence([measures]), Sequence([orientation])
    d.SharedFunctionalGroupsSequence, d.PerFrameFunctionalGroupsSequence = Sequence([shared]), Sequence(per_frame)
    for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness", "RescaleSlope",
                    "RescaleIntercept", "RescaleType"):
        if keyword not in keep:
            delattr(d, keyword)
    d.NumberOfFrames = len(order)
    d.PixelData = b"".join(sets[place].PixelData for place in order)
    return d


def legacy_converted(sets):
    from highdicom.legacy import LegacyConvertedEnhancedCTImage
    return LegacyConvertedEnhancedCTImage(sets, "1.2.3.4.9", 4, "1.2.826.0.7", 1)


def codecs(root):
    for name, (allocated, bits, signed) in {"u12": (16, 12, False), "s16": (16, 16, True), "u8": (8, 8, False)}.items():
        sets = slices(noise(bits, signed), allocated=allocated, bits=bits, signed=signed)
        known = Known(sets, as_hu(sets))
        for syntax in (ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian):
            write(root / f"{syntax.keyword}_{name}", sets, syntax)
            yield f"{syntax.keyword}_{name}", known
        made = copy.deepcopy(sets)
        for d in made:
            d.compress(RLELossless, generate_instance_uid=False)
        write(root / f"rle_{name}", made, RLELossless)
        yield f"rle_{name}", known
        for codec, (syntax, encode) in encoders().items():
            if signed and "jpeg_l" in codec and "ls" not in codec:
                continue  # JPEG knows no signed samples
            lossy = codec.endswith(("lossy", "near"))
            plain = copy.deepcopy(sets)
            if signed and "jpeg_ls" in codec:
                encode = (lambda f: lambda p, bits: f(p.view("u2"), bits))(encode)
            try:
                write(root / f"{codec}_{name}", compressed(plain, syntax, encode), syntax)
            except Exception as error:  # noqa: BLE001 an encoder that lacks a form writes no case
                print(f"not written: {codec}_{name}: {type(error).__name__} {error}", file=sys.stderr)
                continue
            yield f"{codec}_{name}", None if lossy else known
    sets = slices(noise(8, False), allocated=8, bits=8)
    made = compressed(sets, JPEGBaseline8Bit, lambda p, bits: imagecodecs.jpeg8_encode(p, 90))
    write(root / "jpeg_baseline_u8", made, JPEGBaseline8Bit)
    yield "jpeg_baseline_u8", None


def forms(root):
    """Widths of pixels and places of bits."""
    sets = slices(noise(16, True), allocated=32, bits=32, signed=True)
    write(root / "wide_s32", sets)
    yield "wide_s32", Known(sets, as_hu(sets))
    write(root / "wide_s32_big_endian", sets, ExplicitVRBigEndian)
    yield "wide_s32_big_endian", Known(sets, as_hu(sets))
    write(root / "rle_s32", compressed(sets, RLELossless, lambda p, bits: run_length_code(p)), RLELossless)
    yield "rle_s32", Known(sets, as_hu(sets))
    sets = slices(noise(12, True), bits=12, signed=True)
    known = Known(sets, as_hu(sets))
    for n, d in enumerate(sets):  # an overlay in the bits above those stored
        stored = np.frombuffer(d.PixelData, "<u2") & 0x0FFF
        d.PixelData = (stored | (0xA000 if n % 2 else 0x5000)).astype("<u2").tobytes()
    write(root / "signed_12_with_overlay_bits", sets)
    yield "signed_12_with_overlay_bits", known
    sets = slices(noise(12, False), bits=12)
    known = Known(sets, as_hu(sets))
    for d in sets:
        d.PixelData = (np.frombuffer(d.PixelData, "<u2") << 4).astype("<u2").tobytes()
        d.HighBit = 15
    write(root / "high_bit_15", sets)
    yield "high_bit_15", known
    for name, kind, keyword, bits in (("float", "<f4", "FloatPixelData", 32), ("double", "<f8", "DoubleFloatPixelData", 64)):
        sets = slices(noise(12, False))
        for d in sets:
            values = np.frombuffer(d.PixelData, "<u2").astype(kind) + 0.25
            del d.PixelData, d.BitsStored, d.HighBit, d.PixelRepresentation
            d.BitsAllocated = bits
            setattr(d, keyword, values.tobytes())
        planes = [np.frombuffer(d[keyword].value, kind).reshape(ROWS, COLUMNS) - 1024.0 for d in sets]
        write(root / f"{name}_pixels", sets)
        yield f"{name}_pixels", Known(sets, planes)
    sets = slices(noise(12, False))
    for k, d in enumerate(sets):
        d.RescaleSlope, d.RescaleIntercept = 0.5 + k, -1000 + k
    write(root / "slope_per_slice", sets)
    yield "slope_per_slice", Known(sets, as_hu(sets))


def wrappings(root):
    """Files without a preamble, without a meta group."""
    sets = slices(noise(12, False))
    known = Known(sets, as_hu(sets))
    write(root / "no_preamble", sets)
    for path in (root / "no_preamble").iterdir():
        path.write_bytes(path.read_bytes()[132:])
    yield "no_preamble", known
    for name, implicit in (("bare_implicit", True), ("bare_explicit", False)):
        (root / name).mkdir(parents=True)
        for n, d in enumerate(sets):
            bare = Dataset(d)
            pydicom.dcmwrite(root / name / f"{n}.dcm", bare, implicit_vr=implicit, little_endian=True,
                             enforce_file_format=False)
        yield name, known


def geometries(root):
    for name, directions in PLANES.items():
        sets = slices(noise(12, False), directions=directions)
        write(root / name, sets)
        yield name, Known(sets, as_hu(sets))
    sets = slices(noise(12, False)[::-1])
    for k, d in enumerate(sets):
        d.InstanceNumber = SLICES - k
    write(root / "numbered_downwards", sets)
    yield "numbered_downwards", Known(sets, as_hu(sets))
    sets = slices(noise(12, False), modality="MR")
    for d in sets:
        del d.RescaleSlope, d.RescaleIntercept, d.RescaleType
    write(root / "mr_without_rescale", sets)
    yield "mr_without_rescale", Known(sets, noise(12, False))
    for degrees in (5, -20):
        sets = linear_slices(directions=AXIAL, lean=np.tan(np.radians(degrees)))
        write(root / f"gantry_tilt_{degrees}", sets)
        yield f"gantry_tilt_{degrees}", Linear(sets)
    sets = linear_slices(directions=OBLIQUE, lean=np.tan(np.radians(12)))
    write(root / "gantry_tilt_oblique", sets)
    yield "gantry_tilt_oblique", Linear(sets)
    heights = [3.0 * k for k in range(30) if k != 17]
    sets = linear_slices(directions=OBLIQUE, offsets=heights)
    write(root / "one_of_30_missing", sets)
    yield "one_of_30_missing", Linear(sets)
    sets = linear_slices(directions=OBLIQUE, offsets=[0, 2, 4, 6, 9, 12, 15])
    write(root / "spacing_2_then_3_mm", sets)
    yield "spacing_2_then_3_mm", Linear(sets)


def multi_frames(root):
    sets = slices(noise(12, False))
    known = Known(sets, as_hu(sets))
    shuffled = [4, 0, 8, 2, 6, 1, 7, 3, 5]
    for name, order in (("enhanced_ct", range(SLICES)), ("enhanced_ct_shuffled", shuffled)):
        write(root / name, [multi_frame(sets, EnhancedCTImageStorage, list(order))])
        yield name, known
    made = multi_frame(sets, EnhancedCTImageStorage, shuffled)
    made.compress(RLELossless, generate_instance_uid=False)
    write(root / "enhanced_ct_shuffled_rle", [made], RLELossless)
    yield "enhanced_ct_shuffled_rle", known
    made = multi_frame(sets, EnhancedCTImageStorage, shuffled)
    planes = [np.frombuffer(sets[n].PixelData, "<u2").reshape(ROWS, COLUMNS) for n in shuffled]
    encode = encoders()["htj2k"][1]
    made.PixelData = encapsulate([encode(np.ascontiguousarray(p), 12) for p in planes])
    made["PixelData"].is_undefined_length = True
    write(root / "enhanced_ct_shuffled_htj2k", [made], HTJ2KLossless)
    yield "enhanced_ct_shuffled_htj2k", known
    for k, d in enumerate(sets):
        d.RescaleSlope = 1 + k
    write(root / "enhanced_ct_slope_per_frame", [multi_frame(sets, EnhancedCTImageStorage, shuffled)])
    yield "enhanced_ct_slope_per_frame", Known(sets, as_hu(sets))
    sets = slices(noise(12, False), modality="MR")
    for d in sets:
        d.RescaleIntercept = 0
    write(root / "enhanced_mr", [multi_frame(sets, EnhancedMRImageStorage, shuffled)])
    yield "enhanced_mr", Known(sets, as_hu(sets))
    sets = slices(noise(12, False))
    write(root / "legacy_converted_ct", [legacy_converted(sets)])
    yield "legacy_converted_ct", Known(sets, as_hu(sets))


def overlapping_masks():
    """Three segments [k, j, i] that share voxels; the third leaves slices empty."""
    k, j, i = np.mgrid[0:SLICES, 0:ROWS, 0:COLUMNS]
    return np.stack([
        (i - 9) ** 2 + (j - 8) ** 2 + 9 * (k - 4) ** 2 < 50,
        (i >= 6) & (i < 17) & (j >= 5 + k) & (j < 12 + k // 2),
        (i * 3 + j * 5 + k * 7) % 11 == 0,
    ], axis=-1) & np.array([True, True, False]) | ((k % 3 == 1) & ((i * 3 + j * 5 + k * 7) % 11 == 0))[..., None] & np.array([0, 0, 1], bool)


def overlapping_segmentation(path):
    import highdicom
    from highdicom.sr.coding import CodedConcept
    tissue = CodedConcept("85756007", "SCT", "Tissue")
    by = highdicom.AlgorithmIdentificationSequence("by formula", CodedConcept("113076", "DCM", "Segmentation"), "1")
    described = [highdicom.seg.SegmentDescription(n + 1, f"segment {n + 1}", tissue, tissue, "AUTOMATIC", by) for n in range(3)]
    made = highdicom.seg.Segmentation(
        slices(noise(12, False), directions=AXIAL), overlapping_masks().astype("u1"), "BINARY", described, "1.2.3.4.8", 8,
        "1.2.826.0.8", 1, "none", "none", "1", "0", omit_empty_frames=True)
    made.ContentDate, made.ContentTime, made.InstanceCreationDate, made.InstanceCreationTime = "20210304", "100000", "20210304", "100000"
    made.save_as(path)


def make_all(root):
    """Writes every folder below `root`; gives its name and what is known of its values (None: the encoding loses some)."""
    for group in (codecs, forms, wrappings, geometries, multi_frames):
        yield from group(Path(root))


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] == "--segmentation":
        overlapping_segmentation(sys.argv[2])
        sys.exit()
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    print(f"{sum(1 for _ in make_all(Path(sys.argv[1])))} series below {sys.argv[1]}")
