"""greedy and elastix on one pair, each in a process of its own: `python -m registration.peers NAME PAIR OUT`.

Both see the images cut to -150 to 250 HU and the liver's mask of the fixed image, dilated by 10 mm (a mask that ends at the surface hides
it). OUT/seconds.json holds wall and processor seconds of reading, registering and (greedy) writing the map, without Python's start.
"""

import json
import sys
import time
from pathlib import Path

THREADS = 2
CLAMP_HU = (-150, 250)
RIM_MM = 10.0
# Radius of the correlation in voxels and the smoothing of the update and of the whole field.
GREEDY_METRIC = "NCC 2x2x2"
GREEDY_DEFORMABLE = "-s 1.732vox 0.707vox -n 100x50x10"
GREEDY_RIGID = "-a -dof 6 -ia-identity -m NCC 4x4x4 -n 100x50x10"


def prepared(pair, out):
    """What both peers are given, written once for both and not timed."""
    import SimpleITK as sitk

    out.mkdir(parents=True, exist_ok=True)
    for name in ("fixed", "moving"):
        image = sitk.Clamp(sitk.ReadImage(str(pair / f"{name}.nii.gz")), sitk.sitkFloat32, *CLAMP_HU)
        sitk.WriteImage(image, str(out / f"{name}.nii.gz"))
    liver = sitk.ReadImage(str(pair / "fixed_liver.nii.gz"))
    far = sitk.SignedMaurerDistanceMap(liver, squaredDistance=False, useImageSpacing=True)
    sitk.WriteImage(far < RIM_MM, str(out / "mask.nii.gz"))


def clocks():
    """Wall and processor seconds so far."""
    return time.perf_counter(), time.process_time()


def since(start):
    return [now - then for now, then in zip(clocks(), start)]


def greedy(out):
    """Rigid, then deformable; the second's seconds hold the first's."""
    from picsl_greedy import Greedy3D

    images = f"-threads {THREADS} -i {out}/fixed.nii.gz {out}/moving.nii.gz -gm {out}/mask.nii.gz"
    start = clocks()
    Greedy3D().execute(f"{images} {GREEDY_RIGID} -o {out}/rigid.mat")
    rigid = since(start)
    Greedy3D().execute(f"{images} -it {out}/rigid.mat -m {GREEDY_METRIC} {GREEDY_DEFORMABLE} -o {out}/warp.nii.gz")
    return {"greedy_rigid": rigid, "greedy_deformable": since(start)}


def elastix_maps():
    """Rigid, then a B-spline of 12 mm, each on four levels: elastix's default maps with the changes below."""
    import itk

    parameters = itk.ParameterObject.New()
    common = {
        "ImageSampler": ["RandomCoordinate"], "NumberOfSpatialSamples": ["4096"], "NewSamplesEveryIteration": ["true"],
        "Metric": ["AdvancedNormalizedCorrelation"], "AutomaticParameterEstimation": ["true"], "WriteResultImage": ["false"],
        "AutomaticTransformInitialization": ["false"], "ErodeMask": ["false"], "MaximumNumberOfSamplingAttempts": ["8"],
    }
    rigid = parameters.GetDefaultParameterMap("rigid", 4)
    bent = parameters.GetDefaultParameterMap("bspline", 4, 12.0)
    for given in (rigid, bent):
        for key, value in common.items():
            given[key] = value
    rigid["MaximumNumberOfIterations"] = ["500"]
    bent["MaximumNumberOfIterations"] = ["800"]
    bent["Registration"] = ["MultiResolutionRegistration"]  # with the bending penalty beside, 0.25.4 ended with a segmentation fault on two pairs of two
    return rigid, bent


def elastix(out):
    import itk

    parameters = itk.ParameterObject.New()
    for given in elastix_maps():
        parameters.AddParameterMap(given)
    start = clocks()
    fixed, moving = (itk.imread(f"{out}/{name}.nii.gz", itk.F) for name in ("fixed", "moving"))
    mask = itk.imread(f"{out}/mask.nii.gz", itk.UC)
    _, found = itk.elastix_registration_method(
        fixed, moving, parameter_object=parameters, fixed_mask=mask, number_of_threads=THREADS, log_to_console=False, output_directory=str(out)
    )
    seconds = since(start)
    itk.imwrite(itk.transformix_deformation_field(moving, found, output_directory=str(out)), f"{out}/warp.mha")
    return {"elastix_bspline": seconds}


def main():
    name, pair, out = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    prepared(pair, out)
    seconds = greedy(out) if name == "greedy" else elastix(out)
    (out / "seconds.json").write_text(json.dumps(seconds))


if __name__ == "__main__":
    main()
