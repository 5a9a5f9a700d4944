"""What a click gives without a network: thresholds and region growing, each tuned on the patients of the other folds."""
import numpy as np
from scipy import ndimage

from .predict import at_click, dice


def near_click(case, click, radius_mm):
    """The ball round the click within which a method may find anything."""
    at = [(np.arange(n) - c) * s for n, c, s in zip(case.values.shape, click, case.spacing)]
    return at[0][:, None, None] ** 2 + at[1][None, :, None] ** 2 + at[2][None, None, :] ** 2 <= radius_mm**2


def smoothed(case, sigma_mm):
    return ndimage.gaussian_filter(case.values, [sigma_mm / s for s in case.spacing]) if sigma_mm else case.values


def opened(mask, case, radius_mm):
    """Opening with a ball: what hangs on by a bridge thinner than twice the radius is cut off."""
    if not radius_mm:
        return mask
    core = ndimage.distance_transform_edt(mask, sampling=case.spacing) > radius_mm
    return ndimage.distance_transform_edt(~core, sampling=case.spacing) <= radius_mm


def share_of_maximum(case, click, share, radius_mm):
    """Connected voxels above a share of the greatest value within 20 mm of the click."""
    top = case.values[near_click(case, click, 20.0)].max()
    return at_click((case.values > share * top) & near_click(case, click, radius_mm), click)


def fixed_threshold(case, click, value, radius_mm):
    """Connected voxels above a fixed value."""
    return at_click((case.values > value) & near_click(case, click, radius_mm), click)


def region_growing(case, click, tolerance, sigma_mm, opening_mm, radius_mm):
    """Connected voxels of a smoothed image within a tolerance of the mean round the click; the tolerance of MR is relative."""
    values = smoothed(case, sigma_mm)
    seed = values[near_click(case, click, 6.0)].mean()
    width = tolerance if case.modality == "CT" else tolerance * abs(seed)
    similar = (np.abs(values - seed) <= width) & near_click(case, click, radius_mm)
    return ndimage.binary_fill_holes(at_click(opened(similar, case, opening_mm), click))


def ball(case, click, radius_mm):
    """Nothing but a ball round the click."""
    return near_click(case, click, radius_mm)


RADII = (30.0, 45.0, 60.0, 90.0)
GROWING = [(sigma, opening, radius) for sigma in (2.0, 4.0) for opening in (0.0, 5.0, 8.0) for radius in RADII]  # mm


def choices(modality):
    """Every method with every setting tried."""
    yield from ((ball, (r,)) for r in (25.0, 30.0, 35.0, 40.0, 45.0, 50.0, 60.0))
    if modality == "PT":
        yield from ((share_of_maximum, (s, r)) for s in np.arange(0.1, 0.65, 0.05).round(2).tolist() for r in RADII)
        yield from ((fixed_threshold, (v, r)) for v in (0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0) for r in RADII)
        tolerances = (0.5, 0.7, 0.9)
    else:
        tolerances = (10.0, 15.0, 20.0, 30.0, 40.0) if modality == "CT" else (0.1, 0.15, 0.2, 0.3, 0.4)
    yield from ((region_growing, (t, *rest)) for t in tolerances for rest in GROWING)


def table(cases):
    """Dice of every choice on every case, clicked at the voxel farthest inside: {method: {setting: [dice]}}."""
    found = {}
    for case in cases:
        for method, setting in choices(case.modality):
            d = dice(method(case, case.centre(), *setting), case.mask)
            found.setdefault(method.__name__, {}).setdefault(setting, []).append(round(float(d), 4))
    return found


def cross_validated(cases, folds):
    """For each method the Dice of every case with the setting best (median) on the other folds."""
    of_fold = np.array([folds[case.patient] for case in cases])
    result = {}
    for method, settings in table(cases).items():
        keys = list(settings)
        scores = np.array([settings[key] for key in keys])
        values = np.zeros(len(cases))
        for fold in np.unique(of_fold):
            own = of_fold == fold
            values[own] = scores[np.argmax(np.median(scores[:, ~own], 1))][own]
        best = keys[int(np.argmax(np.median(scores, 1)))]
        result[method] = {"dice": values.round(4).tolist(), "setting_on_all": list(best),
                          "median_with_it_on_all": round(float(np.median(scores, 1).max()), 4)}
    return result
