"""What `register` states of its error at landmarks and tumours, against the true error."""

import csv

import numpy as np

WITHIN_95 = 2.7955  # standard deviations per axis that hold 95 % of a normal error in three dimensions
Z = 1.959964
BINS_MM = (0.0, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 100.0)


def write_points(path, truth):
    """The landmarks of a pair as `register --points` takes them."""
    with open(path, "w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["x_mm", "y_mm", "z_mm"])
        out.writerows(p for marks in truth["landmarks"].values() for p in marks["fixed"])


def stated(path, truth):
    """Standard deviation stated and true distance for each landmark, mm; nothing where the registration failed."""
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    if not rows or any(row["error_sd_mm"] == "" for row in rows):
        return np.zeros((0, 2))
    there = np.array([[float(row[f"moving_{a}_mm"]) for a in "xyz"] for row in rows])
    true = np.array([p for marks in truth["landmarks"].values() for p in marks["moving"]])
    return np.c_[[float(row["error_sd_mm"]) for row in rows], np.linalg.norm(there - true, axis=1)]


def share_within(points):
    """Share of landmarks whose true place lies within the stated 95 %."""
    return float(np.mean(points[:, 1] <= WITHIN_95 * points[:, 0])) if len(points) else None


def margins_within(method, rows):
    """How many margins lie within what the error at their tumour allows, without the image's own resolution."""
    mine = [r for r in rows if r["method"] == method and r.get("margin_error_mm") not in (None, "") and r.get("lesion_error_sd_mm") not in (None, "")]
    reach = np.array([Z * float(r["lesion_error_sd_mm"]) for r in mine])
    error = np.abs([float(r["margin_error_mm"]) for r in mine])
    if not len(mine):
        return f"{method}: no margin with a stated error"
    return f"{method}: {np.sum(error <= reach)} of {len(mine)} margins within their interval, half of it {np.median(reach):.2f} mm in the median"


def bins(method, points):
    """A line for each range of stated errors: what was stated, what was true (root mean square per axis), how many lay within."""
    for low, high in zip(BINS_MM, BINS_MM[1:]):
        mine = points[(points[:, 0] >= low) & (points[:, 0] < high)]
        if len(mine) < 20:
            continue
        rms = lambda mm: float(np.sqrt(np.mean(mm**2)))
        yield {
            "method": method, "from_mm": low, "to_mm": high, "n": len(mine), "stated_sd_mm": rms(mine[:, 0]),
            "true_sd_mm": rms(mine[:, 1]) / 3**0.5, "within_95": share_within(mine),
        }


def picture(lines):
    """Stated against true standard deviation, a dot for each range, as SVG. On the line what is stated is true; below it is too much."""
    most = 1.1 * max(max(line["stated_sd_mm"], line["true_sd_mm"]) for line in lines)
    side, rim = 320, 50
    at = lambda x, y: (rim + side * x / most, rim + side * (1 - y / most))
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {side + 2 * rim + 110} {side + 2 * rim}" font-family="sans-serif" font-size="12">']
    parts.append(f'<rect x="{rim}" y="{rim}" width="{side}" height="{side}" fill="none" stroke="#888"/>')
    (x0, y0), (x1, y1) = at(0, 0), at(most, most)
    parts.append(f'<line x1="{x0:.1f}" y1="{y0:.1f}" x2="{x1:.1f}" y2="{y1:.1f}" stroke="#888" stroke-dasharray="4 3"/>')
    for tick in np.arange(0, most, 0.5):
        (x, _), (_, y) = at(tick, 0), at(0, tick)
        parts.append(f'<text x="{x:.1f}" y="{rim + side + 16}" text-anchor="middle">{tick:g}</text>')
        parts.append(f'<text x="{rim - 6}" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>')
    shapes = {"ours_rigid": ("#0072b2", "rigid"), "ours_deformable": ("#d55e00", "deformable")}
    for n, (method, (colour, name)) in enumerate(shapes.items()):
        for line in (line for line in lines if line["method"] == method):
            x, y = at(line["stated_sd_mm"], line["true_sd_mm"])
            radius = 2 + line["n"] ** 0.5 / 10
            dot = f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" fill="{colour}" fill-opacity="0.75"/>'
            parts.append(dot if n else dot.replace("circle cx", "circle stroke=\"#000\" cx"))
        parts.append(f'<circle cx="{rim + side + 16}" cy="{rim + 10 + 20 * n}" r="5" fill="{colour}"/>')
        parts.append(f'<text x="{rim + side + 26}" y="{rim + 14 + 20 * n}">{name}</text>')
    parts.append(f'<text x="{rim + side / 2}" y="{rim + side + 36}" text-anchor="middle">stated standard deviation per axis, mm</text>')
    parts.append(f'<text x="14" y="{rim + side / 2}" text-anchor="middle" transform="rotate(-90 14 {rim + side / 2})">true, mm</text></svg>')
    return "\n".join(parts) + "\n"
