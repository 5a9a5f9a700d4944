"""The visit by Python packages in one process: `python -m pipeline_peers.peers ARCHIVE TABLE`. Prints a line of JSON for each stage.

Imports are not timed, nor is the dilation of the mask that registration needs. Images and masks are read once and stay in memory;
regions are cut out before distances are computed. elastix runs on its default parameter maps (rigid, B-spline; 2,048 samples, 256
iterations on four levels) but for the bending penalty, in one call, without making the registered image, which nothing here needs.
"""

import json
import sys
import time
from pathlib import Path

import itk
import numpy as np
import pandas
import SimpleITK as sitk
from lifelines import CoxPHFitter, KaplanMeierFitter
from lifelines.statistics import logrank_test
from radiomics import shape

from .patient import BASELINE, FOLLOW_UP, ID

THREADS, RIM_MM, CLAMP_HU = 2, 10.0, (-150, 250)


def peak_mib():
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmHWM"))) / 1024


class Stage:
    """Wall and processor seconds of a stage and the largest memory of the process within it."""

    def __init__(self, name):
        self.name = name

    def __enter__(self):
        Path("/proc/self/clear_refs").write_text("5")
        self.began = time.perf_counter(), time.process_time()

    def __exit__(self, *_):
        wall, processor = time.perf_counter() - self.began[0], time.process_time() - self.began[1]
        print(json.dumps({"stage": self.name, "wall": wall, "processor": processor, "mib": peak_mib()}), flush=True)


def series(folder):
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    return sitk.Cast(reader.Execute(), sitk.sitkFloat32)


def to_itk(image, kind):
    out = itk.image_view_from_array(sitk.GetArrayViewFromImage(image).astype(kind))
    out.SetSpacing(image.GetSpacing())
    out.SetOrigin(image.GetOrigin())
    out.SetDirection(np.array(image.GetDirection()).reshape(3, 3))
    return out


def region_of(organ):
    """The organ and 10 mm round it: a mask that ends at the surface hides it."""
    return sitk.SignedMaurerDistanceMap(organ, squaredDistance=False, useImageSpacing=True) < RIM_MM


def registered(fixed, moving, region):
    parameters = itk.ParameterObject.New()
    for name in ("rigid", "bspline"):
        chosen = parameters.GetDefaultParameterMap(name)
        # With the bending penalty beside, elastix 0.25.4 ends with a segmentation fault.
        chosen["Registration"], chosen["Metric"] = ["MultiResolutionRegistration"], ["AdvancedMattesMutualInformation"]
        chosen["WriteResultImage"] = ["false"]
        parameters.AddParameterMap(chosen)
    fixed, moving = (to_itk(sitk.Clamp(image, sitk.sitkFloat32, *CLAMP_HU), np.float32) for image in (fixed, moving))
    _, found = itk.elastix_registration_method(
        fixed, moving, fixed_mask=to_itk(region, np.uint8), parameter_object=parameters, number_of_threads=THREADS, log_to_console=False
    )
    return found


def carried_mask(mask, found):
    for n in range(found.GetNumberOfParameterMaps()):
        found.SetParameter(n, "FinalBSplineInterpolationOrder", "0")
    return itk.transformix_filter(to_itk(mask, np.float32), found, log_to_console=False)


def measured(image, mask):
    """Longest diameter in a slice, volume and largest diameter, as pyradiomics defines them; mean HU."""
    region = sitk.LabelShapeStatisticsImageFilter()
    region.Execute(mask)
    if not region.HasLabel(1):
        return None
    at = region.GetBoundingBox(1)
    low = [max(0, v - 2) for v in at[:3]]
    size = [min(n - lo, s + 4) for n, lo, s in zip(mask.GetSize(), low, at[3:])]
    image, mask = (sitk.RegionOfInterest(v, size, low) for v in (image, mask))
    found = shape.RadiomicsShape(image, sitk.Cast(mask, sitk.sitkUInt8), label=1)
    found.enableAllFeatures()
    values = found.execute()
    inside = sitk.GetArrayViewFromImage(image)[sitk.GetArrayViewFromImage(mask) > 0]
    return {"long_axis_mm": float(values["Maximum2DDiameterSlice"]), "volume_mm3": float(values["MeshVolume"]), "mean": float(inside.mean())}


def margin(tumour, zone_array):
    """The smallest distance from the tumour's surface to that of the zone, negative where it is not covered."""
    zone = sitk.GetImageFromArray((zone_array > 0.5).astype(np.uint8))
    zone.CopyInformation(tumour)
    region = sitk.LabelShapeStatisticsImageFilter()
    region.Execute(sitk.Cast(tumour | zone, sitk.sitkUInt8))
    at = region.GetBoundingBox(1)
    low = [max(0, v - 20) for v in at[:3]]
    size = [min(n - lo, s + 40) for n, lo, s in zip(tumour.GetSize(), low, at[3:])]
    tumour, zone = (sitk.RegionOfInterest(v, size, low) for v in (tumour, zone))
    distance = sitk.SignedMaurerDistanceMap(zone, insideIsPositive=True, squaredDistance=False, useImageSpacing=True)
    surface = sitk.LabelContour(tumour)
    return float(sitk.GetArrayViewFromImage(distance)[sitk.GetArrayViewFromImage(surface) > 0].min())


def survival(path):
    rows = pandas.read_csv(path)
    medians = {}
    for arm, of_arm in rows.groupby("arm"):
        medians[arm] = float(KaplanMeierFitter().fit(of_arm.months, of_arm.event).median_survival_time_)
    a, b = (rows[rows.arm == arm] for arm in "AB")
    p = float(logrank_test(a.months, b.months, a.event, b.event).p_value)
    cox = CoxPHFitter().fit(rows.assign(arm=(rows.arm == "B").astype(int)), "months", "event")
    return {"medians": medians, "p": p, "coefficients": cox.params_.to_dict()}


def main():
    archive, table = Path(sys.argv[1]), sys.argv[2]
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(THREADS)
    itk.MultiThreaderBase.SetGlobalDefaultNumberOfThreads(THREADS)
    said = {}
    with Stage("load"):
        fixed, moving = (series(archive / name) for name in ("fixed", "moving"))
    with Stage("masks"):
        def mask(day, name):
            return sitk.ReadImage(str(archive / "masks" / ID / day / f"{name}.nii.gz"), sitk.sitkUInt8)

        organ, tumour, zone = mask(BASELINE, "organ"), mask(BASELINE, "lesions"), mask(FOLLOW_UP, "ablation_zone")
        later = mask(FOLLOW_UP, "lesions")
        for image in (organ, tumour):
            image.CopyInformation(fixed)
        for image in (zone, later):
            image.CopyInformation(moving)
    region = region_of(organ)
    with Stage("register"):
        found = registered(fixed, moving, region)
        carried_zone = itk.array_view_from_image(carried_mask(zone, found))
    with Stage("measure"):
        said["baseline"], said["follow_up"], said["zone"] = measured(fixed, tumour), measured(moving, later), measured(moving, zone)
    with Stage("margin"):
        said["margin_mm"] = margin(tumour, carried_zone)
    with Stage("survival"):
        said["survival"] = survival(table)
    print(json.dumps({"said": said}))


if __name__ == "__main__":
    main()
