"""A synthetic portal venous abdomen: body, spine, ribs, lungs, liver with two vessel trees, spleen, kidneys, great vessels.

Noise-free HU on a grid of 1 x 1 x 1.25 mm, each seed another patient. x grows to the patient's left, y to the back, z to the head (LPS).
"""

import numpy as np
import SimpleITK as sitk
from scipy.spatial import cKDTree

from .images import grid_of, like, points_of

SHAPE, SPACING = (340, 260, 168), (1.0, 1.0, 1.25)
LIVER_HU, PORTAL_HU, HEPATIC_HU = 108.0, 172.0, 158.0
LEAVES = 320  # ends of each vessel tree
LEAF_MM, NODE_MM = 0.8, 4.0  # radius of the thinnest vessel, distance between nodes


class Canvas:
    """HU values that shapes are painted into, later ones over earlier ones."""

    def __init__(self, rng):
        self.rng = rng
        origin = -(np.array(SHAPE) - 1) * SPACING / 2
        self.grid = grid_of(SHAPE, SPACING, origin)
        p = points_of(self.grid).astype(np.float32)
        self.x, self.y, self.z = p[..., 0], p[..., 1], p[..., 2]
        self.hu = np.full(p.shape[:3], -1000.0, np.float32)
        self.lumps = self.noise(14.0)

    def noise(self, sigma_mm):
        drawn = like(self.rng.standard_normal(self.hu.shape, dtype=np.float32), self.grid)
        n = sitk.GetArrayFromImage(sitk.SmoothingRecursiveGaussian(drawn, [sigma_mm] * 3))
        return n / n.std()

    def paint(self, depth_mm, hu):
        w = np.clip(0.5 + depth_mm / 1.2, 0, 1)
        self.hu += w * (hu - self.hu)

    def ellipsoid(self, centre, radii):
        """Roughly the depth below an ellipsoid's surface, mm."""
        q = [(a - c) / r for a, c, r in zip((self.x, self.y, self.z), centre, radii)]
        return (1 - np.sqrt(q[0] ** 2 + q[1] ** 2 + q[2] ** 2)) * min(radii)


def tree(rng, inside, root, start):
    """Nodes, parents and radii (mm) of a tree grown from a root to random points, radii by Murray's law."""
    nodes, parents = [np.asarray(root, float)], [-1]
    goals = inside[rng.choice(len(inside), LEAVES, replace=False)]
    ends = []
    for goal in goals:
        nearest = int(cKDTree(nodes).query(goal)[1]) if len(nodes) > 1 else 0
        path, at = goal - nodes[nearest], nodes[nearest]
        n = max(1, int(np.linalg.norm(path) / NODE_MM))
        bend = rng.normal(0, 0.06 * np.linalg.norm(path), 3)
        for step in (np.arange(n) + 1) / n:
            nodes.append(at + step * path + np.sin(np.pi * step) * bend)
            parents.append(nearest)
            nearest = len(nodes) - 1
        ends.append(nearest)
    cubes = np.zeros(len(nodes))
    cubes[ends] = LEAF_MM**3
    for n in range(len(nodes) - 1, 0, -1):
        cubes[parents[n]] += cubes[n]
    return np.array(nodes), np.array(parents), np.minimum(np.cbrt(cubes), start)


def paint_tree(canvas, nodes, parents, radii, hu):
    size = np.array(SHAPE)
    for n in range(1, len(nodes)):
        a, b, r = nodes[parents[n]], nodes[n], radii[n]
        low, high = np.minimum(a, b) - r - 2, np.maximum(a, b) + r + 2
        first = np.clip(np.floor((low - canvas.grid.GetOrigin()) / SPACING).astype(int), 0, size)
        last = np.clip(np.ceil((high - canvas.grid.GetOrigin()) / SPACING).astype(int) + 1, 0, size)
        box = tuple(slice(f, e) for f, e in zip(first[::-1], last[::-1]))
        p = np.stack([canvas.x[box], canvas.y[box], canvas.z[box]], -1)
        t = np.clip(((p - a) @ (b - a)) / max((b - a) @ (b - a), 1e-6), 0, 1)
        d = r - np.linalg.norm(p - a - t[..., None] * (b - a), axis=-1)
        w = np.clip(0.5 + d / 1.2, 0, 1) * min(1.0, r / 0.7)
        canvas.hu[box] = np.where(w * hu + (1 - w) * canvas.hu[box] > canvas.hu[box], w * hu + (1 - w) * canvas.hu[box], canvas.hu[box])


def body(c, j):
    """Skin, fat, muscle, ribs, spine and lungs; returns the depth below the inner wall."""
    rim = 1 - np.sqrt((c.x / (160 * j[0])) ** 2 + (c.y / (116 * j[1])) ** 2)
    depth = rim * 120
    c.paint(depth, -98.0)
    wall = depth - (14 + 4 * np.abs(c.x) / 120)
    c.paint(wall, 58.0)
    inner = wall - 11
    c.paint(inner, -92.0)
    around = np.arctan2(c.y, c.x)
    phase = (c.z + 34 * np.abs(around - np.pi / 2) / np.pi + 11 * j[2]) % 31
    ribs = np.minimum(4.5 - np.abs(phase - 15), 3.5 - np.abs(inner + 4.5))
    c.paint(np.where(c.y > -60, ribs, -9), 320.0)
    spine = 19 - np.hypot(c.x, (c.y - 66) * 0.95)
    disc = ((c.z + 9 * j[3]) % 34) < 8
    c.paint(spine, np.where(disc, 75.0, 330.0))
    c.paint(spine - 3, np.where(disc, 85.0, 185.0) + 18 * c.noise(2.0))
    c.paint(np.minimum(14 - np.hypot(c.x, c.y - 96), 3.5 - np.abs(((c.z + 9 * j[3]) % 34) - 15)), 250.0)
    for side in (-1, 1):
        c.paint(16 - np.hypot((c.x - side * 36) / 1.1, c.y - 66), 62.0)
    return inner


def organs(c, inner, j):
    c.paint(np.minimum(c.ellipsoid((62 * j[0], -30, 30), (40, 38, 46)) + 2 * c.lumps, inner - 3), 60.0)
    c.paint(np.minimum(c.ellipsoid((62 * j[0], -30, 30), (36, 34, 42)) + 2 * c.lumps, inner - 6), 18.0)
    bowel = c.noise(9.0)
    low = np.minimum(np.minimum(8 * (np.abs(bowel) - 0.6), inner - 6), -40 - c.z - 0.2 * c.y)
    c.paint(low, 42.0)
    c.paint(np.minimum(low - 5, 4 * (bowel - 1.6)), -500.0)
    c.paint(np.minimum(c.ellipsoid((100 * j[0], 28, 34 + 8 * j[4]), (30, 42, 46 * j[1])) + c.lumps, inner - 3), 122.0)
    for side, low_mm in ((-1, -14), (1, 0)):
        at = (side * 62 * j[0], 52, -38 + low_mm + 10 * j[5])
        c.paint(c.ellipsoid(at, (27, 24, 52)), 190.0)
        c.paint(c.ellipsoid(at, (17, 14, 40)), 140.0)
        c.paint(c.ellipsoid((at[0] - side * 12, at[1] - 6, at[2]), (12, 9, 20)), -60.0)
    c.paint(11 - np.hypot(c.x - 14 - 4 * np.sin(c.z / 60 + j[6]), c.y - 37), 148.0)


def liver_of(c, inner, j):
    """Depth below the liver's surface, and lungs round its dome."""
    right = c.ellipsoid((-66 * j[0], -2, 2 + 6 * j[2]), (70 * j[3], 84 * j[1], 84 * j[4]))
    left = c.ellipsoid((16 * j[0] + 6 * j[5], -42, 28 + 6 * j[2]), (70 * j[4], 38, 42 * j[3]))
    notch = c.ellipsoid((-20, 30 + 6 * j[5], -46), (40, 40, 46))
    away_from_spine = np.hypot(c.x, (c.y - 66) * 0.95) - 24
    depth = np.minimum(np.minimum(np.maximum(right, left), -notch), np.minimum(inner - 2, away_from_spine)) + 2.5 * c.lumps
    depth = np.minimum(depth, inner - 2)
    dome = c.z - 46 - 10 * j[2] - 26 * np.cos(np.clip((c.x + 66) / 62, -1.5, 1.5)) * np.cos(np.clip(c.y / 95, -1.5, 1.5))
    c.paint(np.minimum(np.minimum(dome, inner - 1), np.hypot(c.x, c.y - 66) - 22), -840.0)
    lung = np.minimum(dome, inner - 1)
    c.paint(np.minimum(np.minimum(lung, c.ellipsoid((10, -30, 96), (46, 44, 40))), 90), 128.0)  # the heart
    above = np.s_[90:]
    within = c.hu[above]
    vessels = np.full(within.shape, -9.0, np.float32)
    for x, y in c.rng.uniform((-130, -80), (130, 60), (24, 2)):
        columns = np.s_[:, max(0, int(y + 115)) : int(y + 145), max(0, int(x + 140)) : int(x + 230)]
        near = tuple(a[above][columns] for a in (c.x, c.y, c.z))
        vessels[columns] = np.maximum(vessels[columns], 4.5 - np.hypot(near[0] - x - 0.2 * near[2], near[1] - y))
    within += np.clip(0.5 + np.minimum(vessels, lung[above] - 4) / 1.2, 0, 1) * (40 - within)
    return np.minimum(depth, -dome - 1)


def patient(seed):
    """The grid, HU values [k, j, i] and the liver's mask."""
    rng = np.random.default_rng([seed, 77])
    c = Canvas(rng)
    j = np.append(rng.uniform(0.94, 1.06, 7), 1.0)
    j[2], j[5], j[6] = rng.uniform(-1, 1, 3)
    inner = body(c, j)
    organs(c, inner, j)
    depth = liver_of(c, inner, j)
    liver = depth > 0
    c.paint(depth, LIVER_HU + 3.5 * c.noise(5.0))
    c.paint(c.ellipsoid((-38, -52, -34), (13, 15, 27)), 9.0)  # the gallbladder
    cava = 12 - np.hypot((c.x + 20) / 1.15, c.y - 30 + 4 * np.sin(c.z / 50))
    c.paint(cava, 140.0)
    deep = np.argwhere((depth > 3.5) & (cava < -3))[::7, ::-1] * SPACING + c.grid.GetOrigin()
    for root, hu, start in (((-22, -4, -12), PORTAL_HU, 7.0), ((-22, 24, 52), HEPATIC_HU, 6.0)):
        paint_tree(c, *tree(rng, deep, root, start), hu)
    return c.grid, c.hu, liver & (cava < 0)
