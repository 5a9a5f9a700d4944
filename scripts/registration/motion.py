"""The known map of a pair: a rigid motion and a smooth random field, exact in both directions.

Written as moving -> fixed, x = a + v(a) with a = A(y): the moving image is then the fixed one resampled once, without an inverse field.
v is a cubic B-spline whose coefficients are noise smoothed by a Gaussian of `sigma_mm`. Points in LPS mm, shape (..., 3).
"""

import numpy as np
import SimpleITK as sitk
from scipy import ndimage
from scipy.spatial.transform import Rotation

KNOT_MM = 6.0  # knots of the field: a cubic B-spline of it adds 3.5 mm to the width of 14 mm and more
ALONG = np.array([0.45, 0.45, 1.0])  # share of the field along x, y, z: breathing moves the liver along z
LEAST_JACOBIAN = 0.35
CONTRACTION = 0.85


class Motion:
    def __init__(self, centre, angles_deg, shift_mm, low, coefficients):
        self.rotation = Rotation.from_euler("xyz", angles_deg, degrees=True).as_matrix()
        self.centre, self.shift = np.asarray(centre, float), np.asarray(shift_mm, float)
        self.low, self.coefficients = np.asarray(low, float), coefficients  # coefficients [3, x, y, z] at low + KNOT_MM * n

    def rigid_to_fixed(self, y):
        return (y - self.centre - self.shift) @ self.rotation + self.centre  # row vectors: the inverse rotation

    def rigid_to_moving(self, a):
        return (a - self.centre) @ self.rotation.T + self.centre + self.shift

    def field(self, a):
        at = np.moveaxis((a - self.low) / KNOT_MM, -1, 0)
        return np.stack([ndimage.map_coordinates(c, at, order=3, prefilter=False, mode="constant") for c in self.coefficients], -1)

    def to_fixed(self, y):
        a = self.rigid_to_fixed(y)
        return a + self.field(a)

    def to_moving(self, x):
        a = x - self.field(x)
        for _ in range(200):
            step = x - self.field(a) - a
            a = a + step
            if np.abs(step).max() < 1e-7:
                return self.rigid_to_moving(a)
        raise SystemExit("the field does not contract: it has no inverse here")

    def itk(self):
        """The same map for SimpleITK's resampling: from moving points to fixed points."""
        n = self.coefficients.shape[1:]
        field = sitk.BSplineTransform(3, 3)
        field.SetTransformDomainOrigin(tuple(self.low + KNOT_MM))
        field.SetTransformDomainPhysicalDimensions(tuple(KNOT_MM * (np.array(n) - 3.0)))
        field.SetTransformDomainMeshSize([m - 3 for m in n])
        field.SetParameters(np.concatenate([c.ravel(order="F") for c in self.coefficients]).astype(float).tolist())
        rigid = sitk.AffineTransform(3)
        rigid.SetMatrix(self.rotation.T.ravel().tolist())
        rigid.SetCenter((self.centre + self.shift).tolist())
        rigid.SetTranslation((-self.shift).tolist())
        return sitk.CompositeTransform([field, rigid])


def random_field(rng, low, high, inside, sigma_mm, largest_mm):
    """Coefficients over the box, the largest displacement of the points `inside` being largest_mm; redrawn until it can be inverted."""
    n = np.ceil((np.asarray(high) - low) / KNOT_MM).astype(int) + 4
    at = np.moveaxis((inside - low) / KNOT_MM, -1, 0)
    for _ in range(400):
        noise = rng.normal(size=(3, *n))
        smooth = np.stack([w * ndimage.gaussian_filter(c, sigma_mm / KNOT_MM, mode="wrap") for w, c in zip(ALONG, noise)])
        there = np.stack([ndimage.map_coordinates(c, at, order=3, prefilter=False) for c in smooth])
        smooth *= largest_mm / np.linalg.norm(there, axis=0).max()
        gradient = np.stack([np.stack(np.gradient(c, KNOT_MM)) for c in smooth])  # [component, direction, x, y, z]
        matrices = np.moveaxis(gradient, (0, 1), (-2, -1))
        jacobian = np.linalg.det(matrices + np.eye(3))
        where = tuple(np.rint(at).astype(int))
        if jacobian.min() > 0.1 and jacobian[where].min() > LEAST_JACOBIAN and np.linalg.norm(matrices, 2, (-2, -1)).max() < CONTRACTION:
            return smooth, [float(jacobian[where].min()), float(jacobian[where].max())]
    raise SystemExit(f"no field of {largest_mm} mm at {sigma_mm} mm without a fold in 400 draws: take a wider or a weaker one")
