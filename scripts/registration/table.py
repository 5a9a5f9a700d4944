"""Sums up the rows of compare_registration: each method on each kind of pair, differences pair by pair, and what limits are passed."""

import numpy as np

COLUMNS = [
    "pair", "method", "liver_median_mm", "liver_p95_mm", "liver_z_median_mm", "near_median_mm", "near_p95_mm", "near_z_median_mm",
    "margin_true_mm", "margin_error_mm", "estimated_error_mm", "jacobian_min", "jacobian_max", "seconds", "cpu_seconds", "margin_mm", "quality", "field_mm", "sigma_mm", "within_95", "lesion_error_sd_mm", "reasons",
]
LANDMARK_LIMITS_MM = {"ct": (1.0, 3.0), "phantom": (0.5, 2.0)}
MARGIN_LIMITS_MM = (1.0, 2.5)
SECONDS_OF_GREEDY, WORSE_MM = 0.5, 0.1
PEERS = ("greedy_deformable", "elastix_bspline")


def value(row, key):
    return float(row[key]) if row.get(key) not in (None, "") else np.nan


def kind(row):
    return row["pair"].split("-")[0]


def column(rows, key):
    return np.array([value(row, key) for row in rows])


def of(rows, method, group=None):
    """Rows of a method by pair."""
    return {row["pair"]: row for row in rows if row["method"] == method and kind(row) == (group or kind(row)) and kind(row) != "bad"}


def group_lines(rows):
    """Over the pairs of a kind: the median over pairs of each pair's median and 95th percentile, and the worst pair."""
    for group in ("ct", "phantom"):
        for method in dict.fromkeys(row["method"] for row in rows if row["method"] != "truth"):
            mine = list(of(rows, method, group).values())
            if not mine:
                continue
            margins = np.abs(column(mine, "margin_error_mm"))
            line = {"kind": group, "method": method, "pairs": len(mine)}
            for name in ("liver", "near"):
                line[f"{name}_median_mm"] = float(np.median(column(mine, f"{name}_median_mm")))
                line[f"{name}_p95_mm"] = float(np.median(column(mine, f"{name}_p95_mm")))
                line[f"{name}_worst_p95_mm"] = float(np.max(column(mine, f"{name}_p95_mm")))
            line["z_median_mm"] = float(np.median(column(mine, "liver_z_median_mm")))
            line["margin_median_mm"], line["margin_p95_mm"] = (float(v) for v in np.nanpercentile(margins, [50, 95])) if np.isfinite(margins).any() else (np.nan, np.nan)
            line["seconds"] = float(np.median(column(mine, "seconds")))
            line["worse_than_ours_mm"] = paired(rows, method, group, "liver_median_mm")
            line["cpu_seconds"] = float(np.median(column(mine, "cpu_seconds")))
            line["of_its_seconds"] = ratio(rows, method, group, "seconds")
            line["of_its_cpu_seconds"] = ratio(rows, method, group, "cpu_seconds")
            yield line


def paired(rows, method, group, key):
    """Median over pairs of a method's number less ours."""
    our, other = of(rows, "ours_deformable", group), of(rows, method, group)
    both = [value(other[pair], key) - value(our[pair], key) for pair in our if pair in other]
    return float(np.median(both)) if both else np.nan


def ratio(rows, method, group, key):
    """Median over pairs of our seconds over a method's."""
    our, other = of(rows, "ours_deformable", group), of(rows, method, group)
    both = [value(our[pair], key) / value(other[pair], key) for pair in our if pair in other]
    return float(np.median(both)) if both else np.nan


def limit(missed, name, found, most):
    if not found <= most:
        missed.append(f"missed: {name}: {found:.2f}, expected at most {most}")


def summary(rows):
    """Lines of the table, and what limits are passed."""
    lines, missed = list(group_lines(rows)), []
    for line in (line for line in lines if line["method"] == "ours_deformable"):
        median, p95 = LANDMARK_LIMITS_MM[line["kind"]]
        limit(missed, f"{line['kind']} landmarks, median", line["liver_median_mm"], median)
        limit(missed, f"{line['kind']} landmarks, 95 %", line["liver_p95_mm"], p95)
        better = {name: [l for l in lines if l["method"] == name and l["kind"] == line["kind"]] for name in PEERS}
        for name, found in better.items():
            for other in found:
                limit(missed, f"{line['kind']}: worse than {name}, pair by pair, mm", -other["worse_than_ours_mm"], WORSE_MM)
                if name == "greedy_deformable":
                    limit(missed, f"{line['kind']}: part of {name}'s seconds", other["of_its_seconds"], SECONDS_OF_GREEDY)
    our = list(of(rows, "ours_deformable").values())
    passed = np.abs(column([row for row in our if row["quality"] == "pass"], "margin_error_mm"))
    if len(passed):
        limit(missed, "margins of pairs that pass, median mm", float(np.median(passed)), MARGIN_LIMITS_MM[0])
        limit(missed, "margins of pairs that pass, 95 % mm", float(np.percentile(passed, 95)), MARGIN_LIMITS_MM[1])
    elif our:
        missed.append(f"missed: none of {len(our)} good pairs passes: no margin can be judged")
    missed += [f"missed: the good pair {row['pair']} fails" for row in our if row["quality"] == "fail"]
    bad = [row for row in rows if kind(row) == "bad" and row["method"].startswith("ours")]
    missed += [f"missed: the bad pair {row['pair']} is called {row['quality']} ({row['method']})" for row in bad if row["quality"] != "fail"]
    return lines, missed
