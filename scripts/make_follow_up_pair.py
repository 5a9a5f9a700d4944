#!/usr/bin/env python3
"""Makes an archive of one patient with two visits from one real abdominal CT series: a tumour, then its ablation zone.

Visit 1 is the CT with a synthetic tumour in the liver. Visit 2, eight weeks later, is the CT with an ablation zone round
the tumour's place instead: turned, shifted and smoothly deformed by a known map, resampled to another grid, with noise of
its own. Everything the program should find is known and written to truth.json (LPS mm throughout).

  scripts/make_follow_up_pair.py CT_FOLDER --out ARCHIVE
  scripts/make_follow_up_pair.py CT_FOLDER --out ARCHIVE --margin-mm 1 --seed 7 --place -80,-20,-260
  lesiontrace run --archive ARCHIVE --out OUT

Writes dicom/<date>/, clinical/{patients,treatments}.csv, masks/<patient>/<date>/ (import as they are) and truth.json.
Needs numpy, scipy and pydicom. Seeded: the same call writes the same bytes. The images remain those of a real patient:
keep them where the CT itself may be kept, never in the repository.
"""

import argparse
import datetime
import gzip
import json
import struct
from pathlib import Path

import numpy as np
import pydicom
from pydicom.uid import ExplicitVRLittleEndian, generate_uid
from scipy import ndimage
from scipy.spatial import ConvexHull, cKDTree
from scipy.spatial.distance import pdist
from scipy.spatial.transform import Rotation

DATES = (datetime.date(2024, 1, 10), datetime.date(2024, 3, 6))  # eight weeks
TREATED = datetime.date(2024, 1, 24)
AIR_HU = -1024.0
EDGE_MM = 1.2  # half-width over which a structure blends into the liver
SLICE_SAMPLES = 5  # samples through a slice's thickness: the partial volume of 5 mm slices
SURFACE_DIRECTIONS = 100_000  # 0.25 mm apart on a zone; the error of a margin of 1 mm stays below 0.01 mm


# ---------------------------------------------------------------- shapes, in the patient space of visit 1

def harmonics(u):
    """Eight polynomials of second and third order of unit directions, shape (..., 8)."""
    x, y, z = u[..., 0], u[..., 1], u[..., 2]
    return np.stack([x * y, x * z, y * z, x * x - y * y, 3 * z * z - 1, x * (x * x - 3 * y * y), z * (x * x - y * y), 3 * x * y * z], -1)


class Star:
    """A solid whose surface lies at radius(direction) from its centre."""

    def __init__(self, centre, radius):
        self.centre, self.radius = np.asarray(centre, float), radius

    def depth(self, p):
        """How far inside points lie along their radius, mm; negative outside."""
        v = p - self.centre
        n = np.linalg.norm(v, axis=-1)
        u = v / np.maximum(n, 1e-9)[..., None]
        return self.radius(u) - n

    def surface(self, n=SURFACE_DIRECTIONS):
        """Points of the surface in even directions (Fibonacci's spiral)."""
        i = np.arange(n) + 0.5
        z = 1 - 2 * i / n
        a = np.pi * (1 + 5**0.5) * i
        s = np.sqrt(1 - z * z)
        u = np.stack([s * np.cos(a), s * np.sin(a), z], -1)
        return self.centre + u * self.radius(u)[:, None]


def tumour_of(rng, centre, long_axis_mm):
    bumps = rng.normal(0, 0.06, 8)
    relative = lambda u: 1 + harmonics(u) @ bumps
    widest = pdist(hull_points(Star([0, 0, 0], relative).surface(4000) * [1, 1, 0.0])).max()
    scale = long_axis_mm / widest
    return Star(centre, lambda u: scale * relative(u))


def zone_of(rng, tumour, margin_mm):
    """A smoother, larger solid whose least distance to the tumour's surface is margin_mm, by bisection."""
    thick = rng.normal(size=3)
    thick /= np.linalg.norm(thick)
    bumps = rng.normal(0, 0.35, 8)
    seen = tumour.surface(20_000)

    def shape(offset):
        # The tumour's own outline at half strength, thicker on one side, and a little irregular.
        mean = np.mean(np.linalg.norm(seen - tumour.centre, axis=1))
        radius = lambda u: 0.5 * (mean + tumour.radius(u)) + offset + 1.5 * (1 + u @ thick) + harmonics(u) @ bumps
        return Star(tumour.centre, radius)

    low, high = -5.0, 25.0
    for _ in range(14):
        middle = (low + high) / 2
        low, high = (middle, high) if min_margin(seen, shape(middle), 40_000) < margin_mm else (low, middle)
    for _ in range(2):  # the last hundredths with every direction
        high += margin_mm - min_margin(tumour.surface(), shape(high))
    return shape(high)


def min_margin(tumour_points, zone, n=SURFACE_DIRECTIONS):
    """Least signed distance from the tumour's surface to the zone's; negative where the tumour reaches out."""
    return signed_distances(tumour_points, zone.surface(n), zone.depth(tumour_points) >= 0).min()


def signed_distances(points, surface, inside):
    d = cKDTree(surface).query(points)[0]
    return np.where(inside, d, -d)


def hull_points(points):
    xy = points[:, :2]
    return xy[ConvexHull(xy).vertices]


# ---------------------------------------------------------------- the map from visit 2 to visit 1

class Motion:
    """moving_to_fixed: a rigid map about a centre, then a smooth displacement."""

    def __init__(self, rng, centre, angles_deg, shift_mm):
        self.rotation = Rotation.from_euler("xyz", angles_deg, degrees=True).as_matrix()
        self.centre, self.shift = np.asarray(centre, float), np.asarray(shift_mm, float)
        directions = rng.normal(size=(6, 3))
        directions /= np.linalg.norm(directions, axis=1)[:, None]
        self.waves = directions * (2 * np.pi / rng.uniform(110, 200, 6))[:, None]
        self.phases = rng.uniform(0, 2 * np.pi, 6)
        self.amplitudes = rng.normal(size=(6, 3))

    def scale_to(self, points, largest_mm):
        """Largest displacement over the given points of visit 1."""
        self.amplitudes *= largest_mm / np.linalg.norm(self.displacement(points), axis=1).max()

    def displacement(self, p):
        return np.sin((p - self.centre) @ self.waves.T + self.phases) @ self.amplitudes

    def to_fixed(self, y):
        x = (y - self.centre - self.shift) @ self.rotation + self.centre  # row vectors: the inverse rotation
        return x + self.displacement(x)

    def to_moving(self, p):
        x = p.copy()
        for _ in range(60):  # the displacement contracts: 3 mm over 110 mm
            x = p - self.displacement(x)
        return (x - self.centre) @ self.rotation.T + self.centre + self.shift

    def rigid_to_fixed(self):
        m = np.eye(4)
        m[:3, :3] = self.rotation.T
        m[:3, 3] = self.centre - self.rotation.T @ (self.centre + self.shift)
        return m


def best_rigid(moving, fixed):
    """Least-squares rigid map of point pairs (Kabsch 1976)."""
    a, b = moving - moving.mean(0), fixed - fixed.mean(0)
    u, _, vt = np.linalg.svd(a.T @ b)
    d = np.diag([1, 1, np.sign(np.linalg.det(vt.T @ u.T))])
    r = vt.T @ d @ u.T
    return r, fixed.mean(0) - r @ moving.mean(0)


# ---------------------------------------------------------------- grids and images

class AxialGrid:
    """An axial grid; arrays are [k, j, i], points (x, y, z) in LPS mm."""

    def __init__(self, origin, spacing, shape):
        self.origin, self.spacing, self.shape = np.asarray(origin, float), np.asarray(spacing, float), tuple(shape)

    def slice_points(self, k, dz=0.0, rows=slice(None), columns=slice(None)):
        nk, nj, ni = self.shape
        x = self.origin[0] + self.spacing[0] * np.arange(ni)[columns]
        y = self.origin[1] + self.spacing[1] * np.arange(nj)[rows]
        yy, xx = np.meshgrid(y, x, indexing="ij")
        return np.stack([xx, yy, np.full_like(xx, self.origin[2] + self.spacing[2] * k + dz)], -1)

    def index(self, p):
        """Continuous indices in array order, for map_coordinates."""
        ijk = (p - self.origin) / self.spacing
        return np.moveaxis(ijk[..., ::-1], -1, 0)

    def points(self, kji):
        return self.origin + np.asarray(kji, float)[..., ::-1] * self.spacing


class Placed:
    """A shape in the patient space of a visit, which a map carries to the shape's own (visit 1)."""

    def __init__(self, shape, motion=None):
        self.shape = shape
        self.to_own = motion.to_fixed if motion else lambda p: p
        self.centre = motion.to_moving(shape.centre[None])[0] if motion else shape.centre
        self.reach_mm = np.linalg.norm(shape.surface(2000) - shape.centre, axis=1).max() + 5.0

    def depth(self, p):
        return self.shape.depth(self.to_own(p))

    def box(self, grid, k):
        """Rows and columns of a slice that the shape can reach; None where it cannot."""
        if abs(grid.origin[2] + grid.spacing[2] * k - self.centre[2]) > self.reach_mm + grid.spacing[2]:
            return None
        low, high = ((self.centre + side * self.reach_mm - grid.origin) / grid.spacing for side in (-1, 1))
        sides = [slice(max(0, int(low[axis])), max(0, int(high[axis]) + 2)) for axis in (1, 0)]
        return tuple(sides)


def read_series(folder):
    slices = [pydicom.dcmread(path) for path in sorted(Path(folder).rglob("*")) if path.is_file()]
    slices = sorted((s for s in slices if "PixelData" in s), key=lambda s: float(s.ImagePositionPatient[2]))
    if not slices or {s.SeriesInstanceUID for s in slices} != {slices[0].SeriesInstanceUID}:
        raise SystemExit(f"expected one CT series in {folder}, found {len({s.SeriesInstanceUID for s in slices})}")
    first = slices[0]
    if not np.allclose(np.asarray(first.ImageOrientationPatient, float), [1, 0, 0, 0, 1, 0]):
        raise SystemExit(f"expected an axial series (orientation 1 0 0 0 1 0), found {first.ImageOrientationPatient}")
    z = np.array([float(s.ImagePositionPatient[2]) for s in slices])
    steps = np.diff(z)
    if np.ptp(steps) > 0.01:
        raise SystemExit(f"expected evenly spaced slices, found steps from {steps.min()} to {steps.max()} mm")
    hu = np.stack([s.pixel_array * float(s.RescaleSlope) + float(s.RescaleIntercept) for s in slices])
    dy, dx = (float(v) for v in first.PixelSpacing)
    grid = AxialGrid([float(v) for v in first.ImagePositionPatient], [dx, dy, float(steps.mean())], hu.shape)
    return slices, np.maximum(hu, AIR_HU).astype(np.float32), grid


def rough_liver(hu, grid, seed_point):
    """The largest bright compact organ on the patient's right, or the one at the given point: a rough outline."""
    in_voxels = lambda mm: [mm / s for s in grid.spacing[::-1]]
    smooth = ndimage.gaussian_filter(hu, in_voxels(2.0))
    ball = lambda mm, mask: ndimage.distance_transform_edt(mask, sampling=grid.spacing[::-1]) > mm
    grow = lambda mm, mask: ndimage.distance_transform_edt(~mask, sampling=grid.spacing[::-1]) <= mm
    tissue = (smooth > 85) & (smooth < 160)
    cores, n = ndimage.label(ball(9.0, tissue))
    if n == 0:
        raise SystemExit("found no organ of 85 to 160 HU: expected a portal venous abdominal CT")
    if seed_point is None:
        sizes = ndimage.sum_labels(np.ones_like(cores), cores, np.arange(1, n + 1))
        label = 1 + int(np.argmax(sizes))
    else:
        to_core = ndimage.distance_transform_edt(cores == 0, sampling=grid.spacing[::-1], return_distances=False, return_indices=True)
        at = tuple(int(round(v)) for v in grid.index(np.asarray(seed_point)))
        label = int(cores[tuple(to_core[(slice(None), *at)])])
    liver = grow(9.5, cores == label) & (smooth > 75) & (smooth < 190)
    liver = ~ball(3.0, ~liver) | liver
    return ndimage.binary_fill_holes(liver), smooth


def weight(placed, grid, k):
    """How much of each voxel of slice k is taken by a shape, 0 to 1, soft at its edge."""
    total = np.zeros(grid.shape[1:])
    box = placed.box(grid, k)
    if box is None:
        return total
    for shift in ((np.arange(SLICE_SAMPLES) + 0.5) / SLICE_SAMPLES - 0.5) * grid.spacing[2]:
        t = np.clip((placed.depth(grid.slice_points(k, shift, *box)) + EDGE_MM) / (2 * EDGE_MM), 0, 1)
        total[box] += t * t * (3 - 2 * t) / SLICE_SAMPLES
    return total


def inserted(slice_hu, w, target_hu):
    """The structure's mean value with the image's own fine texture."""
    texture = slice_hu - ndimage.gaussian_filter(slice_hu, 2.5)
    return (1 - w) * slice_hu + w * (target_hu + np.clip(texture, -40, 40))


def mask_of(placed, grid):
    mask = np.zeros(grid.shape, bool)
    for k in range(grid.shape[0]):
        box = placed.box(grid, k)
        if box is not None:
            mask[k][box] = placed.depth(grid.slice_points(k, 0.0, *box)) >= 0
    return mask


def long_axis(placed, grid, step_mm=0.2):
    """The farthest two points of the shape's outline in one acquired slice, mm, with its slice and ends."""
    best = {"long_axis_mm": 0.0}
    near = placed.centre
    ticks = np.arange(-placed.reach_mm, placed.reach_mm, step_mm)
    for k in range(grid.shape[0]):
        z = grid.origin[2] + grid.spacing[2] * k
        if abs(z - near[2]) > placed.reach_mm:
            continue
        yy, xx = np.meshgrid(near[1] + ticks, near[0] + ticks, indexing="ij")
        depth = placed.depth(np.stack([xx, yy, np.full_like(xx, z)], -1))
        crossing = (depth[:, 1:] >= 0) != (depth[:, :-1] >= 0)
        if not crossing.any():
            continue
        row, column = np.nonzero(crossing)
        a, b = depth[row, column], depth[row, column + 1]
        xy = np.stack([xx[0, column] + step_mm * a / (a - b), yy[row, 0]], -1)
        hull = xy[ConvexHull(xy).vertices]
        gaps = np.linalg.norm(hull[:, None] - hull[None], axis=-1)
        if gaps.max() > best["long_axis_mm"]:
            p, q = np.unravel_index(np.argmax(gaps), gaps.shape)
            ends = [[*hull[n].round(3).tolist(), round(z, 3)] for n in (p, q)]
            best = {"long_axis_mm": round(float(gaps.max()), 3), "slice_k": k, "ends_lps": ends}
    return best


# ---------------------------------------------------------------- files

def write_nifti(path, mask, grid):
    """A label map as NIfTI-1, gzip without a time stamp; LPS becomes RAS."""
    dx, dy, dz = grid.spacing
    x, y, z = grid.origin
    nk, nj, ni = mask.shape
    header = bytearray(352)
    struct.pack_into("<i", header, 0, 348)
    struct.pack_into("<8h", header, 40, 3, ni, nj, nk, 1, 1, 1, 1)
    struct.pack_into("<2h", header, 70, 2, 8)  # uint8
    struct.pack_into("<8f", header, 76, 1, dx, dy, dz, 1, 0, 0, 0)
    struct.pack_into("<3f", header, 108, 352, 1, 0)  # data offset, slope, intercept
    header[123] = 2  # mm
    struct.pack_into("<2h", header, 252, 1, 1)  # qform and sform: scanner
    struct.pack_into("<6f", header, 256, 0, 0, 1, -x, -y, z)  # half a turn about z
    struct.pack_into("<12f", header, 280, -dx, 0, 0, -x, 0, -dy, 0, -y, 0, 0, dz, z)
    header[344:348] = b"n+1\0"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(bytes(header) + np.ascontiguousarray(mask, np.uint8).tobytes(), mtime=0))


def write_series(folder, templates, hu, grid, patient_id, date, uids, description):
    folder.mkdir(parents=True, exist_ok=True)
    nk = grid.shape[0]
    for k in range(nk):
        ds = pydicom.dcmread(templates[min(len(templates) - 1, k * len(templates) // nk)].filename)
        ds.remove_private_tags()
        if ds.file_meta.TransferSyntaxUID.is_compressed:
            ds.decompress()
        day = date.strftime("%Y%m%d")
        for name in ("StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate"):
            setattr(ds, name, day)
        ds.PatientID = ds.PatientName = patient_id
        ds.SeriesDescription = description
        ds.StudyDescription = "Abdomen with a synthetic lesion"
        ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.FrameOfReferenceUID = uids
        ds.SOPInstanceUID = generate_uid(entropy_srcs=[uids[1], str(k)])
        ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        ds.InstanceNumber = k + 1
        ds.ImagePositionPatient = [f"{grid.origin[0]:.6f}", f"{grid.origin[1]:.6f}", f"{grid.origin[2] + k * grid.spacing[2]:.6f}"]
        ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        ds.PixelSpacing = [f"{grid.spacing[1]:.8f}", f"{grid.spacing[0]:.8f}"]
        ds.SliceLocation = f"{grid.origin[2] + k * grid.spacing[2]:.6f}"
        ds.RescaleSlope, ds.RescaleIntercept = "1", "-1024"
        ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 1
        for tag in ("PixelPaddingValue", "SmallestImagePixelValue", "LargestImagePixelValue"):
            if tag in ds:
                delattr(ds, tag)
        ds.Rows, ds.Columns = hu.shape[1:]
        ds.PixelData = np.clip(np.rint(hu[k] + 1024), 0, 32767).astype("<i2").tobytes()
        ds["PixelData"].VR = "OW"
        ds.save_as(folder / f"{k + 1:03d}.dcm")


def write_text(path, *lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


# ---------------------------------------------------------------- the pair

def place_in(liver, grid, wanted_mm):
    depth = ndimage.distance_transform_edt(liver, sampling=grid.spacing[::-1])
    at = np.unravel_index(np.argmax(depth), depth.shape)
    if depth[at] < wanted_mm:
        raise SystemExit(f"expected a place {wanted_mm:.0f} mm deep in the liver, the deepest lies {depth[at]:.1f} mm below its surface; give --place, or a smaller --long-axis-mm or --margin-mm")
    return grid.points(at)


def second_visit(hu, grid, zone, motion, noise_hu, target_hu, rng):
    """The follow-up on a grid of its own; where the first visit has no data, air."""
    nk, nj, ni = grid.shape
    spacing = grid.spacing * [0.96, 0.96, 0.8]
    middle = motion.to_moving(grid.points([(nk - 1) / 2, (nj - 1) / 2, (ni - 1) / 2])[None])[0]
    shape = (int(nk / 0.8), nj, ni)
    grid2 = AxialGrid(middle - spacing * (np.array(shape[::-1]) - 1) / 2 + [0.31, -0.17, 0.4], spacing, shape)
    spline = ndimage.spline_filter(ndimage.gaussian_filter(hu, [0, 0.8, 0.8]), order=3, output=np.float32)
    out = np.empty(shape, np.float32)
    zone_there = Placed(zone, motion)
    grain = ndimage.gaussian_filter(rng.normal(size=(1, nj, ni)), [0, 0.8, 0.8]).std()
    for k in range(shape[0]):
        at = grid.index(motion.to_fixed(grid2.slice_points(k)))
        slice_hu = ndimage.map_coordinates(spline, at, order=3, prefilter=False, mode="nearest")
        known = np.all([(at[n] > -0.5) & (at[n] < grid.shape[n] - 0.5) for n in range(3)], axis=0)
        slice_hu = slice_hu + noise_hu / grain * ndimage.gaussian_filter(rng.normal(size=(nj, ni)), 0.8)
        w = weight(zone_there, grid2, k)
        out[k] = np.where(known, inserted(slice_hu, w, target_hu), AIR_HU)
    return np.maximum(out, AIR_HU), grid2


def carried(mask, grid, grid2, motion):
    soft = mask.astype(np.float32)
    rows = [ndimage.map_coordinates(soft, grid.index(motion.to_fixed(grid2.slice_points(k))), order=1, mode="constant") > 0.5 for k in range(grid2.shape[0])]
    return np.stack(rows)


def landmarks(liver, grid, motion, rng, n=60):
    inside = np.argwhere(ndimage.binary_erosion(liver, iterations=2))
    fixed = grid.points(inside[rng.choice(len(inside), n, replace=False)])
    return fixed, motion.to_moving(fixed)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ct", help="folder of one axial CT series (DICOM)")
    parser.add_argument("--out", required=True, type=Path, help="archive to be written")
    parser.add_argument("--patient-id", help="default: the CT's, with -PAIR")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--place", help="centre of the tumour, x,y,z in LPS mm; default: the deepest place of the liver")
    parser.add_argument("--long-axis-mm", type=float, default=28.0)
    parser.add_argument("--margin-mm", type=float, default=6.0, help="least distance from the tumour's surface to the zone's")
    parser.add_argument("--tumour-hu", type=float, default=60.0)
    parser.add_argument("--zone-hu", type=float, default=45.0)
    parser.add_argument("--rotation-deg", default="2.0,-1.5,3.0", help="about x, y, z")
    parser.add_argument("--shift-mm", default="6.0,-4.5,7.0")
    parser.add_argument("--deformation-mm", type=float, default=2.5, help="largest displacement within the liver; 0: rigid")
    args = parser.parse_args()
    numbers = lambda text: [float(v) for v in text.split(",")]
    rng = np.random.default_rng(args.seed)

    templates, hu, grid = read_series(args.ct)
    place = numbers(args.place) if args.place else None
    liver, smooth = rough_liver(hu, grid, place)
    centre = np.asarray(place) if place else place_in(liver, grid, args.long_axis_mm / 2 + args.margin_mm + 3)
    tumour = tumour_of(rng, centre, args.long_axis_mm)
    zone = zone_of(rng, tumour, args.margin_mm)
    liver_points = grid.points(np.argwhere(liver)[::50])
    motion = Motion(rng, liver_points.mean(0), numbers(args.rotation_deg), numbers(args.shift_mm))
    motion.scale_to(liver_points, args.deformation_mm)
    fine = hu - ndimage.gaussian_filter(hu, [0, 2.5, 2.5])
    noise_hu = float(1.4826 * np.median(np.abs(fine[ndimage.binary_erosion(liver, iterations=3)])))

    first = np.stack([inserted(hu[k], weight(Placed(tumour), grid, k), args.tumour_hu) for k in range(grid.shape[0])])
    second, grid2 = second_visit(hu, grid, zone, motion, noise_hu, args.zone_hu, rng)
    patient_id = args.patient_id or f"{templates[0].PatientID}-PAIR"
    write_archive(args, templates, (first, second), (grid, grid2), (tumour, zone), liver, motion, patient_id, rng, noise_hu)


def write_archive(args, templates, images, grids, shapes, liver, motion, patient_id, rng, noise_hu):
    tumour, zone = shapes
    tumour_there, zone_there = Placed(tumour), Placed(zone, motion)
    source = templates[0].SeriesInstanceUID
    liver2 = carried(liver, grids[0], grids[1], motion)
    masks = [
        {"lesions": mask_of(tumour_there, grids[0]), "organ": liver | mask_of(tumour_there, grids[0])},
        {"lesions": np.zeros(grids[1].shape, bool), "ablation_zone": mask_of(zone_there, grids[1])},
    ]
    masks[1]["organ"] = liver2 | masks[1]["ablation_zone"]
    found = [long_axis(tumour_there, grids[0]), long_axis(zone_there, grids[1])]
    chosen = repr(sorted((k, v) for k, v in vars(args).items() if k not in ("ct", "out") and v is not None))
    visits = []
    for n, name in enumerate(("lesions", "ablation_zone")):
        date = DATES[n].isoformat()
        uids = [generate_uid(entropy_srcs=[source, patient_id, chosen, kind, date]) for kind in ("study", "series", "frame")]
        what = ("tumour", "ablation zone")[n]
        write_series(args.out / "dicom" / date, templates, images[n], grids[n], patient_id, DATES[n], uids, f"Abdomen portal venous, synthetic {what}")
        for kind, mask in masks[n].items():
            write_nifti(args.out / "masks" / patient_id / date / f"{kind}.nii.gz", mask, grids[n])
        write_text(args.out / "masks" / patient_id / date / "lesions.csv", "label,organ,kind", *(["1,liver,lesion"] if n == 0 else []))
        visits.append({
            "date": date, "series_uid": uids[1], "frame_uid": uids[2], "structure": name, "label": 1, **found[n],
            "mask_volume_mm3": round(float(masks[n][name].sum() * np.prod(grids[n].spacing)), 1),
        })
    write_text(args.out / "clinical" / "patients.csv", "patient_id,diagnosis,last_contact_date", f"{patient_id},colorectal liver metastasis (synthetic tumour),{DATES[1]}")
    write_text(args.out / "clinical" / "treatments.csv", "patient_id,date,session,modality", f"{patient_id},{TREATED},1,MWA")
    truth = {
        "schema_version": 1, "patient_id": patient_id, "seed": args.seed, "noise_hu": round(noise_hu, 2), "visits": visits,
        **known_motion(liver, grids[0], motion, tumour, rng),
        "margin": {"treatment_date": str(TREATED), **known_margin(tumour, zone, motion, liver, grids[0], rng)},
    }
    write_text(args.out / "truth.json", json.dumps(truth, indent=1))
    print(json.dumps({"archive": str(args.out), "long_axis_mm": found[0]["long_axis_mm"], **truth["margin"], "place": tumour.centre.round(2).tolist()}, indent=1))


def known_motion(liver, grid, motion, tumour, rng):
    fixed, moving = landmarks(liver, grid, motion, rng)
    x = tumour.centre[None]
    return {
        "rigid_moving_to_fixed": motion.rigid_to_fixed().round(9).tolist(),
        "displacement": {
            "form": "x + sum_n amplitude_n sin(wave_n . (x - centre) + phase_n), x = rigid_moving_to_fixed(y)",
            "centre": motion.centre.tolist(), "waves_per_mm": motion.waves.tolist(), "phases": motion.phases.tolist(), "amplitudes_mm": motion.amplitudes.tolist(),
            "at_tumour_mm": motion.displacement(x)[0].round(3).tolist(),
        },
        "landmarks": [{"fixed": f, "moving": m} for f, m in zip(fixed.round(4).tolist(), moving.round(4).tolist())],
    }


def known_margin(tumour, zone, motion, liver, grid, rng):
    """The margin of the tissue itself, and what remains of it under the best rigid map of the liver."""
    points = tumour.surface()
    fixed, moving = landmarks(liver, grid, motion, rng, 2000)
    r, t = best_rigid(moving, fixed)
    rigid = lambda p: p @ r.T + t
    surface = rigid(motion.to_moving(zone.surface()))
    back = lambda p: motion.to_fixed((p - t) @ r)  # from the rigidly registered frame to the tissue
    under_rigid = signed_distances(points, surface, zone.depth(back(points)) >= 0)
    residual = np.linalg.norm(rigid(moving) - fixed, axis=1)
    return {
        "min_margin_mm": round(float(min_margin(points, zone)), 3),
        "min_margin_under_best_rigid_mm": round(float(under_rigid.min()), 3),
        "best_rigid_mean_error_mm": round(float(residual.mean()), 3),
        "best_rigid_error_at_tumour_mm": round(float(np.linalg.norm(rigid(motion.to_moving(tumour.centre[None])) - tumour.centre)), 3),
    }


if __name__ == "__main__":
    main()
