# SPDX-License-Identifier: Apache-2.0
"""Golden values of harness/statistics.h and harness/significance.h: SciPy, pymannkendall and exact enumeration."""

import itertools
import json
import math

import numpy as np
import pymannkendall
from scipy import stats

from golden_io import GOLDEN, header, write_json

RNG = np.random.default_rng(20260101)


def rounded(values):
    """Few digits, so that C reads the very numbers that were used here."""
    return [float(f"{v:.6g}") for v in values]


def flip_p(differences):
    """All 2^k sign patterns of those that are not 0, by brute force."""
    d = np.array([x for x in differences if x != 0])
    if len(d) == 0:
        return 1.0
    if len(d) > 20:
        return float(2 * stats.norm.sf(abs(d.sum()) / np.sqrt((d * d).sum())))
    signs = np.array(list(itertools.product((-1, 1), repeat=len(d))), dtype=np.int8)
    return float(np.mean(np.abs(signs @ d) >= abs(d.sum()) - 1e-9 * np.abs(d).sum()))


def paired(before, after, level):
    result = stats.ttest_rel(after, before).confidence_interval(level)
    d = np.subtract(after, before)
    changed = np.count_nonzero(d)
    return {"before": before, "after": after, "level": level, "value": float(d.mean()), "low": float(result.low),
            "high": float(result.high), "p": flip_p(d), "p_least": 2.0 ** (1 - changed) if changed else 1.0}


def pairs():
    cases = []
    for n, shift, level in ((2, 0.1, 0.95), (5, 0, 0.95), (9, 0.4, 0.99), (17, 0.2, 0.9), (20, -0.3, 0.95), (60, 0.1, 0.95)):
        before = rounded(RNG.uniform(0, 1, n))
        cases.append(paired(before, rounded(np.array(before) + RNG.normal(shift, 0.3, n)), level))
    for n, p, q in ((12, 0.9, 0.3), (20, 0.5, 0.5), (40, 0.9, 0.7), (200, 0.8, 0.6)):  # hits and misses: many ties
        cases.append(paired(rounded(RNG.uniform(0, 1, n) < p), rounded(RNG.uniform(0, 1, n) < q), 0.95))
    return cases


def rank_sums():
    cases = []
    for a, b, shift in ((2, 2, 0), (3, 5, 1), (10, 10, 0.5), (10, 10, 3), (7, 30, 0.4), (50, 50, 0.3), (51, 20, 0.2)):
        before, after = rounded(RNG.lognormal(0, 1, a)), rounded(RNG.lognormal(shift, 1, b))
        method = "exact" if max(a, b) <= 50 else "asymptotic"
        cases.append((before, after, method))
    for a, b in ((10, 12), (30, 30)):  # ties
        cases.append((rounded(RNG.integers(1, 6, a)), rounded(RNG.integers(2, 7, b)), "asymptotic"))
    return [{"before": x, "after": y, "p": float(stats.mannwhitneyu(y, x, alternative="two-sided", method=m).pvalue),
             "value": float(np.median(y) / np.median(x)), "p_least": 2 / math.comb(len(x) + len(y), len(y))}
            for x, y, m in cases]


def trends():
    cases = []
    for n, slope in ((3, 1), (10, 0), (10, 0.3), (25, -0.1), (100, 0.005)):
        cases.append(rounded(10 + slope * np.arange(n) + RNG.normal(0, 1, n)))
    cases.append(rounded(RNG.integers(1, 4, 20)))
    return [{"samples": x, "p": float(pymannkendall.original_test(x).p)} for x in cases]


def median_distribution(samples):
    """Of an odd number of draws: P(median <= k-th smallest) is a binomial tail."""
    n = len(samples)
    at_most = stats.binom.sf((n - 1) // 2, n, np.arange(1, n + 1) / n)
    return np.sort(samples), np.diff(at_most, prepend=0)


def exact_quantile(values, weights, q):
    """The quantile, or None where 10,000 draws might fall to either side of a step."""
    order = np.argsort(values)
    below = np.cumsum(weights[order])
    at = int(np.searchsorted(below, q))
    near = min(abs(below[at] - q), abs(below[at - 1] - q) if at else 1)
    return float(values[order][at]) if near > 4 * np.sqrt(q * (1 - q) / 10000) else None


def bootstraps():
    """Exact bootstrap distributions of medians and of their ratio. Few steps are wide in a ratio: a band of it is checked."""
    medians, ratios = [], []
    for n in (5, 9, 11, 25):
        samples = rounded(RNG.lognormal(3, 0.3, n))
        values, weights = median_distribution(samples)
        for level in (0.95, 0.9, 0.8, 0.5):
            low, high = (exact_quantile(values, weights, (1 + s * level) / 2) for s in (-1, 1))
            if low is not None and high is not None:
                medians.append({"samples": samples, "level": level, "low": low, "high": high})
    for n, m in ((5, 5), (9, 11), (11, 25)):
        below, above = rounded(RNG.lognormal(3, 0.1, n)), rounded(RNG.lognormal(3.2, 0.1, m))
        (x, p), (y, q) = median_distribution(below), median_distribution(above)
        values, weights = (y[:, None] / x[None, :]).ravel(), (q[:, None] * p[None, :]).ravel()
        order = np.argsort(values)
        cumulated = np.cumsum(weights[order])
        for level in (0.95, 0.8):
            band = {}
            for side, name in ((-1, "low"), (1, "high")):
                at, slack = (1 + side * level) / 2, 5 * np.sqrt(0.05 * 0.95 / 10000)
                index = [min(int(np.searchsorted(cumulated, at + s * slack)), len(values) - 1) for s in (-1, 1)]
                band[name] = [float(values[order][i]) for i in index]
            ratios.append({"below": below, "above": above, "level": level, **band})
    return medians, ratios


def outliers():
    cases = []
    for n, wild in ((10, []), (10, [40.0]), (30, [20.0, -5.0]), (20, [12.9, 13.1, 14.0])):
        cases.append(rounded(np.concatenate([RNG.normal(10, 1, n), wild])))
    cases.append([5.0] * 10 + [5.001, 4.0])
    cases.append([5.0] * 12)
    result = []
    for x in cases:
        distance = np.abs(np.array(x) - np.median(x))
        mad = stats.median_abs_deviation(x)
        z = 0.6745 * distance / mad if mad > 0 else distance / (1.2533 * distance.mean()) if distance.any() else distance
        result.append({"samples": x, "n": int(np.count_nonzero(z > 3.5))})
    return result


def adjusted():
    cases = [[0.01], [0.04, 0.01, 0.03, 0.5], rounded(RNG.uniform(0, 1, 40) ** 3), [0.2, 0.2, 0.001, 1, 0.2]]
    return [{"p": p, "adjusted": stats.false_discovery_control(p, method="bh").tolist()} for p in cases]


def main():
    medians, ratios = bootstraps()
    students = [{"q": q, "df": df, "t": float(stats.t.ppf(q, df))}
                for q in (0.975, 0.995, 0.9, 0.6, 0.025, 0.9999999) for df in (1, 2, 3, 9, 30, 499, 100000)]
    golden = header(__file__, "numpy", "scipy", "pymannkendall")
    golden.update(students=students, pairs=pairs(), rank_sums=rank_sums(), trends=trends(), bootstrap_medians=medians,
                  bootstrap_ratios=ratios, outliers=outliers(), adjusted=adjusted())
    json.dumps(golden, allow_nan=False)
    write_json(GOLDEN / "significance.json", golden)


main()
