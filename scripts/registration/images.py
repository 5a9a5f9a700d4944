"""Grids, files and the real CT: SimpleITK images are in LPS mm, arrays are [k, j, i], points (x, y, z)."""

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

AIR_HU = -1024.0


def grid_of(shape_ijk, spacing, origin, direction=(1, 0, 0, 0, 1, 0, 0, 0, 1)):
    """An empty image that stands for a grid."""
    image = sitk.Image([int(n) for n in shape_ijk], sitk.sitkUInt8)
    image.SetSpacing([float(s) for s in spacing])
    image.SetOrigin([float(o) for o in origin])
    image.SetDirection([float(d) for d in direction])
    return image


def like(array, grid):
    image = sitk.GetImageFromArray(array)
    image.CopyInformation(grid)
    return image


def frame_of(image):
    """Matrix from indices (i, j, k) to mm, and the origin."""
    return np.array(image.GetDirection()).reshape(3, 3) * np.array(image.GetSpacing()), np.array(image.GetOrigin())


def points_of(image, box=None, dk=0.0):
    """Voxel centres [k, j, i, 3] of a box of index slices (k, j, i); dk shifts along the slices' axis, in slices."""
    matrix, origin = frame_of(image)
    size = image.GetSize()
    box = box or tuple(slice(0, n) for n in size[::-1])
    k, j, i = np.meshgrid(*(np.arange(s.start, s.stop, dtype=float) for s in box), indexing="ij")
    return np.stack([i, j, k + dk], -1) @ matrix.T + origin


def indices_of(image, points):
    """Continuous indices (k, j, i) of points, first axis first: what map_coordinates takes."""
    matrix, origin = frame_of(image)
    return np.moveaxis(((points - origin) @ np.linalg.inv(matrix).T)[..., ::-1], -1, 0)


def box_around(image, centre, reach_mm):
    """Index slices (k, j, i) of the voxels within reach of a point, cut to the image."""
    corners = np.array(np.meshgrid(*[[-reach_mm, reach_mm]] * 3)).reshape(3, -1).T + centre
    at = indices_of(image, corners)
    size = image.GetSize()[::-1]
    return tuple(slice(max(0, int(np.floor(a.min()))), max(0, min(n, int(np.ceil(a.max())) + 1))) for a, n in zip(at, size))


def through_slices(image, box, samples=5):
    """Points of a box of voxels at even depths of each slice."""
    return [points_of(image, box, dk) for dk in (np.arange(samples) + 0.5) / samples - 0.5]


def weight(depth_of, layers, edge_mm=0.8):
    """How much of each voxel a shape takes, 0 to 1: partial volume through the slice, soft in the plane."""
    total = 0.0
    for points in layers:
        t = np.clip((depth_of(points) + edge_mm) / (2 * edge_mm), 0, 1)
        total = total + t * t * (3 - 2 * t) / len(layers)
    return total


def fine_grid(centre, reach_mm, step_mm=0.75):
    n = 2 * int(np.ceil(reach_mm / step_mm)) + 1
    return grid_of([n] * 3, [step_mm] * 3, np.asarray(centre) - step_mm * (n - 1) / 2)


def write(path, image, kind=sitk.sitkInt16):
    sitk.WriteImage(sitk.Cast(sitk.Round(image) if kind == sitk.sitkInt16 else image, kind), str(path), True)


def read_ct(folder):
    """A CT series in HU, below air cut off."""
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    return sitk.Maximum(sitk.Cast(reader.Execute(), sitk.sitkFloat32), AIR_HU)


def without_noise(image):
    """Edge-preserving smoothing: a second scan shares the anatomy, not the noise (Whitaker and Xue 2001)."""
    calm = sitk.CurvatureAnisotropicDiffusion(sitk.Clamp(image, sitk.sitkFloat32, -200, 300), 0.03, 2.0, 1, 8)
    beyond = image - sitk.Clamp(image, sitk.sitkFloat32, -200, 300)
    return calm + beyond


def depth_within(mask, spacing, rim=4):
    """Distance of the mask's voxels from its surface (mm), negative outside, -99 far outside; spacing as the array's axes."""
    wide = box_of(mask, rim)
    part = mask[wide]
    out = np.full(mask.shape, -99.0, np.float32)
    image = sitk.GetImageFromArray(part.astype(np.uint8))
    image.SetSpacing([float(s) for s in spacing[::-1]])
    depth = sitk.SignedMaurerDistanceMap(image, insideIsPositive=True, squaredDistance=False, useImageSpacing=True)
    out[wide] = sitk.GetArrayFromImage(depth)
    return out


def body_box(image, rim_mm=25.0):
    """Rows and columns (slices) of the largest thing that is not air, with a rim: the patient without most of the table."""
    hu = sitk.GetArrayFromImage(image)[::4, ::4, ::4]
    parts, n = ndimage.label(ndimage.binary_opening(hu > -200, iterations=2))
    body = parts == 1 + int(np.argmax(ndimage.sum_labels(np.ones_like(parts), parts, np.arange(1, n + 1))))
    _, rows, columns = ndimage.find_objects(body.astype(np.uint8))[0]
    rim = [int(rim_mm / s) for s in image.GetSpacing()]
    return tuple(slice(max(0, 4 * s.start - r), min(m, 4 * s.stop + r)) for s, r, m in zip((rows, columns), rim[1::-1], image.GetSize()[1::-1]))


def box_of(mask, rim):
    box = ndimage.find_objects(mask.astype(np.uint8))[0]
    return tuple(slice(max(0, s.start - rim), s.stop + rim) for s in box)


def rough_liver(image):
    """The largest compact organ of 85 to 160 HU of a portal venous CT: a rough outline, found on every second row and column."""
    hu, spacing = sitk.GetArrayFromImage(image)[:, ::2, ::2], np.array(image.GetSpacing()[::-1]) * [1, 2, 2]
    smooth = ndimage.gaussian_filter(hu, [2.0 / s for s in spacing])

    def deeper(mask, mm):
        return ndimage.distance_transform_edt(mask, sampling=spacing) > mm

    cores, n = ndimage.label(deeper((smooth > 85) & (smooth < 160), 14.0))
    if n == 0:
        raise SystemExit("found no organ of 85 to 160 HU: expected a portal venous abdominal CT")
    core = cores == 1 + int(np.argmax(ndimage.sum_labels(np.ones_like(cores), cores, np.arange(1, n + 1))))
    liver = ~deeper(~core, 14.5) & (smooth > 75) & (smooth < 190)
    liver = deeper(~deeper(~liver, 3.0), 3.0) | liver
    rows = ndimage.binary_fill_holes(liver).repeat(2, 1).repeat(2, 2)
    return rows[:, : image.GetSize()[1], : image.GetSize()[0]]


def noise_of(image, liver):
    """Standard deviation of the noise within the liver, HU."""
    hu = sitk.GetArrayFromImage(image)
    fine = hu - ndimage.gaussian_filter(hu, [0, 2.5, 2.5])
    return float(1.4826 * np.median(np.abs(fine[ndimage.binary_erosion(liver, iterations=2)])))
