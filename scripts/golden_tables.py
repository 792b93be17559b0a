#!/usr/bin/env python3
# /// script
# requires-python = ">=3.10"
# dependencies = ["numpy", "pandas", "polars", "pyarrow"]
# ///
"""Writes the tables of tests/golden/tables: one table as pandas and polars write it.

    scripts/golden_tables.py tests/golden/tables

The same rows as CSV and as Parquet packed with Snappy (pandas's default), gzip and Zstandard
(polars's default), in every type of column that `reprsim analyze` reads, and with a list that it
does not. Made with pandas 3.1.1, polars 2.1.0 and pyarrow 26.0.1.
"""
import pathlib
import sys

import numpy as np
import pandas as pd
import polars as pl


def main() -> None:
    folder = pathlib.Path(sys.argv[1])
    rng = np.random.default_rng(5)
    rows = [
        {"seed": seed, "a": a, "measure": measure, "y": 1 + 2 * a + rng.normal() * 0.1}
        for seed in range(6)
        for a in (0, 0.5, 1)
        for measure in ("cka", "knn")
    ]
    table = pd.DataFrame(rows)
    table["single"] = (table.a + 0.1).astype("float32")
    table["byte"] = (2 * table.a).astype("uint8")
    table["category"] = table.measure.astype("category")
    table["gap"] = table.y.where(table.seed > 0)
    table["big"] = table.seed.astype("uint64") + np.uint64(2**63)
    table["nullable"] = pd.array([None if s == 0 else s for s in table.seed], dtype="Int64")
    table.to_csv(folder / "table.csv", index=False)
    table["list"] = [[1, 2]] * len(table)
    table.to_parquet(folder / "pandas.parquet", index=False)
    table.to_parquet(folder / "pandas-gzip.parquet", index=True, compression="gzip")
    frame = pl.from_pandas(table)
    frame.write_parquet(folder / "polars-snappy.parquet", compression="snappy")
    frame.write_parquet(folder / "polars-zstd.parquet")


main()
