#!/usr/bin/env python3
# /// script
# requires-python = ">=3.10"
# dependencies = ["numpy", "pandas", "statsmodels"]
# ///
"""Recomputes the slopes of a run with statsmodels and compares them.

    scripts/check_stats.py runs/quick

Reads results.csv, fits similarity on overlap for every axis, probe, layer and
measure, and compares slope, interval, p and R² with analysis.json. Exits with 1
if any differs by more than 1e-9 (relative).
"""
import json
import pathlib
import sys

import pandas as pd
import statsmodels.api as sm


def main(run: pathlib.Path) -> int:
    rows = pd.read_csv(run / "results.csv")
    analysis = json.loads((run / "analysis.json").read_text())
    worst, checked = 0.0, 0
    for effect in analysis["effects"]:
        if effect["slope"] is None:
            continue
        axis = effect["axis"]
        part = rows[
            (rows.axis == axis)
            & (rows.role == "level")
            & (rows.probe == effect["probe"])
            & (rows.layer_a == effect["layer"])
            & (rows.layer_b == effect["layer"])
            & (rows.measure == effect["measure"])
        ].dropna(subset=["value"])
        overlap = part["samples_shared" if axis == "data" else "labels_shared"].to_numpy()
        model = sm.OLS(part.value.to_numpy(), sm.add_constant(overlap))
        if isinstance(effect["errors"], dict):
            fit = model.fit(
                cov_type="cluster", cov_kwds={"groups": part.seed.to_numpy()}, use_t=True
            )
        else:
            fit = model.fit()
        low, high = fit.conf_int()[1]
        expected = {
            "slope": fit.params[1],
            "stderr": fit.bse[1],
            "ci_low": low,
            "ci_high": high,
            "p_value": fit.pvalues[1],
            "r_squared": fit.rsquared,
        }
        for name, value in expected.items():
            worst = max(worst, abs(effect[name] - value) / max(abs(value), 1e-300))
        checked += 1
    print(f"{checked} effects, largest relative difference {worst:.1e}")
    return 0 if checked and worst < 1e-9 else 1


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1])))
