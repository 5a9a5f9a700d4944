"""Tumours and ablation zones as star-shaped solids of the fixed image's patient space (LPS, mm), and the margin between them."""

import numpy as np
from scipy.spatial import cKDTree

DIRECTIONS = 40_000  # 0.4 mm apart on a zone; the error of a margin of 1 mm stays below 0.02 mm
SEEN = 5_000  # of a tumour: the least of a smooth distance


def harmonics(u):
    """Eight polynomials of second and third order of unit directions, shape (..., 8)."""
    x, y, z = u[..., 0], u[..., 1], u[..., 2]
    third = [x * (x * x - 3 * y * y), z * (x * x - y * y), 3 * x * y * z]
    return np.stack([x * y, x * z, y * z, x * x - y * y, 3 * z * z - 1, *third], -1)


def directions(n):
    """Even unit directions (Fibonacci's spiral)."""
    i = np.arange(n) + 0.5
    z = 1 - 2 * i / n
    a = np.pi * (1 + 5**0.5) * i
    s = np.sqrt(1 - z * z)
    return np.stack([s * np.cos(a), s * np.sin(a), z], -1)


class Star:
    """A solid whose surface lies at radius(direction) mm from its centre."""

    def __init__(self, centre, radius):
        self.centre, self.radius = np.asarray(centre, float), radius
        self.reach_mm = float(radius(directions(2000)).max())

    def depth(self, p):
        """How far inside points lie along their radius, mm; negative outside."""
        v = p - self.centre
        n = np.linalg.norm(v, axis=-1)
        return self.radius(v / np.maximum(n, 1e-9)[..., None]) - n

    def surface(self, n=DIRECTIONS):
        u = directions(n)
        return self.centre + u * self.radius(u)[:, None]


def tumour_of(rng, centre, long_axis_mm, form):
    """A sphere, an ellipsoid or a lobulated solid of about this long axis."""
    half = long_axis_mm / 2
    if form == "sphere":
        return Star(centre, lambda u: np.full(u.shape[:-1], half))
    if form == "ellipsoid":
        axes = half * np.array([1.0, *rng.uniform(0.65, 0.95, 2)])
        turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
        return Star(centre, lambda u: 1 / np.maximum(np.linalg.norm((u @ turn) / axes, axis=-1), 1e-9))
    bumps = rng.normal(0, 0.09, 8)
    widest = (1 + harmonics(directions(4000)) @ bumps).max()
    return Star(centre, lambda u: half * (1 + harmonics(u) @ bumps) / widest)


def zone_of(rng, tumour, margin_mm, shift_mm):
    """A smooth solid, its centre shifted, whose least distance to the tumour's surface is margin_mm (by bisection)."""
    away = rng.normal(size=3)
    centre = tumour.centre + shift_mm * away / np.linalg.norm(away)
    bumps = rng.normal(0, 0.4, 8)
    mean = float(tumour.radius(directions(2000)).mean())
    seen = tumour.surface(1500)

    def grown(offset):
        return Star(centre, lambda u: np.maximum(0.5 * (mean + tumour.radius(u)) + offset + harmonics(u) @ bumps, 1.0))

    low, high = -8.0, 30.0
    for _ in range(16):
        middle = (low + high) / 2
        low, high = (middle, high) if min_margin(seen, grown(middle), 6000) < margin_mm else (low, middle)
    for _ in range(2):  # the last hundredths with every direction
        high += margin_mm - min_margin(tumour.surface(SEEN), grown(high))
    return grown(high)


def min_margin(tumour_points, zone, n=DIRECTIONS):
    """Least signed distance from the tumour's surface to the zone's; negative where the tumour reaches out."""
    distance = cKDTree(zone.surface(n)).query(tumour_points)[0]
    return float(np.where(zone.depth(tumour_points) >= 0, distance, -distance).min())
