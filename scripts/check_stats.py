#!/usr/bin/env python3
# /// script
# requires-python = ">=3.10"
# dependencies = ["numpy", "pandas", "statsmodels"]
# ///
"""Recomputes the effects of a run with statsmodels and compares them.

    scripts/check_stats.py runs/quick

Reads results.csv, fits similarity on overlap for every sweep, probe, layer and
measure (a line for one axis; for a grid all axes, centred on the means of their
levels, and their products), and compares coefficient, interval, p and R² with
analysis.json. Exits with 1 if any differs by more than 1e-9 (relative, of a
coefficient to its standard error; R² and p-values below 1e-12 absolutely).
"""
import itertools
import json
import pathlib
import sys

import numpy as np
import pandas as pd
import statsmodels.api as sm


COEFFICIENT = ("slope", "ci_low", "ci_high")


def reached(part: pd.DataFrame, axis: str, axes: list[str]) -> np.ndarray:
    """The level of an axis as it was reached, on the scale of the regression."""
    if axis in ("width", "depth"):
        return np.log2(part[axis].to_numpy())
    if axis == "partition":
        return part[axis].to_numpy()
    if axis == "data" and "class" in axes:
        return (part.samples_shared / part.labels_shared).to_numpy()
    column = "samples_shared" if axis in ("data", "style") else "labels_shared"
    return part[column].to_numpy()


def regressors(part: pd.DataFrame, sweep: str) -> dict[str, np.ndarray]:
    axes = sweep.split(" x ")
    if len(axes) == 1:
        return {sweep: reached(part, sweep, axes)}
    centred = {}
    for axis in axes:
        levels = np.unique(part[axis])
        middle = (np.log2(levels) if axis in ("width", "depth") else levels).mean()
        centred[axis] = reached(part, axis, axes) - middle
    products = {f"{a} x {b}": centred[a] * centred[b] for a, b in itertools.combinations(axes, 2)}
    return centred | products


def main(run: pathlib.Path) -> int:
    rows = pd.read_csv(run / "results.csv")
    analysis = json.loads((run / "analysis.json").read_text())
    worst, checked = 0.0, 0
    for effect in analysis["effects"]:
        if effect["slope"] is None:
            continue
        sweep = effect["sweep"]
        part = rows[
            (rows.sweep == sweep)
            & (rows.role == "level")
            & (rows.probe == effect["probe"])
            & (rows.layer_a == effect["layer"])
            & (rows.layer_b == effect["layer"])
            & (rows.measure == effect["measure"])
        ].dropna(subset=["value"])
        columns = regressors(part, sweep)
        place = 1 + list(columns).index(effect["axis"])
        x = sm.add_constant(np.column_stack(list(columns.values())))
        model = sm.OLS(part.value.to_numpy(), x)
        if isinstance(effect["errors"], dict):
            fit = model.fit(
                cov_type="cluster", cov_kwds={"groups": part.seed.to_numpy()}, use_t=True
            )
        else:
            fit = model.fit()
        low, high = fit.conf_int()[place]
        expected = {
            "slope": fit.params[place],
            "stderr": fit.bse[place],
            "ci_low": low,
            "ci_high": high,
            "p_value": fit.pvalues[place],
            "r_squared": fit.rsquared,
        }
        for name, value in expected.items():
            if name == "r_squared" or value < 1e-12 and name == "p_value":
                worst = max(worst, abs(effect[name] - value))
            else:
                # A coefficient near zero is as exact as its error allows.
                size = max(abs(value), fit.bse[place] if name in COEFFICIENT else 1e-300)
                worst = max(worst, abs(effect[name] - value) / size)
        checked += 1
    print(f"{checked} effects, largest relative difference {worst:.1e}")
    return 0 if checked and worst < 1e-9 else 1


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1])))
