"""Measures, runs, statistics, files."""

from __future__ import annotations

import csv
import json
from array import array
from pathlib import Path

import numpy as np
import pytest
from conftest import program
from safetensors.numpy import save_file

import reprsim


def test_measures_are_the_programs() -> None:
    rows = json.loads(program("measures", "--format", "json").stdout)
    table = reprsim.measures()
    assert table["name"] == [row["name"] for row in rows]
    assert [row["range_in_words"] for row in table.rows()] == [row["range_in_words"] for row in rows]
    assert table.shape[0] == len(rows) and "<table>" in table._repr_html_()


def test_a_run_is_read_as_its_csv_says(run: Path) -> None:
    table = reprsim.read(run)
    with (run / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert list(table) == list(rows[0]) and table.shape[0] == len(rows) > 20
    for name, column in table.items():
        written = [row[name] for row in rows]
        if isinstance(column, list):
            assert [value or "" for value in column] == written, name
        else:
            numbers = np.array([float(value) if value else np.nan for value in written])
            assert np.array_equal(np.asarray(column), numbers, equal_nan=True), name
    assert isinstance(table["cell"], array) and table["cell"].typecode == "q"
    frame, polar = table.to_pandas(), table.to_polars()
    assert frame.shape == polar.shape == table.shape
    with pytest.raises(reprsim.FileError):
        reprsim.read(run.parent)
    with pytest.raises(KeyError, match="there are: experiment"):
        table["levels"]


def test_statistics_are_the_programs(run: Path) -> None:
    asked = ["--x", "data", "--y", "value", "--cluster", "seed", "--where", "role=level", "--group", "measure"]
    done = program("analyze", run / "results.csv", *asked, "--format", "json")
    assert done.returncode == 0, done.stderr
    expected = json.loads(done.stdout)
    table = reprsim.read(run)
    forms = [table, table.to_pandas(), table.to_polars(), run / "results.csv"]
    for form in forms:
        found = reprsim.analyze(
            form, x="data", y="value", cluster="seed", where={"role": "level"}, group="measure"
        )
        assert list(found["slope"]) == [row["slope"] for row in expected], type(form)
        assert [row["group"] for row in found.rows()] == [row["group"] for row in expected]
    with pytest.raises(reprsim.InputError, match="unknown column 'date' \\(did you mean 'data'"):
        reprsim.analyze(table, x="date", y="value")
    with pytest.raises(reprsim.InputError, match="'two'.*no number"):
        reprsim.analyze({"x": [0, 1], "y": ["two", 3]}, x="x", y="y")
    with pytest.raises(reprsim.InputError, match="column 'y' has 1 rows"):
        reprsim.analyze({"x": [0, 1], "y": [2]}, x="x", y="y")
    with pytest.raises(reprsim.InputError, match="no table"):
        reprsim.analyze(3, x="x", y="y")


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_files_are_read_by_rows(tmp_path: Path, dtype: str) -> None:
    rng = np.random.default_rng(0)
    layers = {"a": rng.normal(size=(9, 4)).astype(dtype), "b": rng.normal(size=(9, 2, 3, 3)).astype(dtype)}
    ids = np.arange(9) * 7
    save_file({**layers, "sample_ids": ids}, tmp_path / "x.safetensors")
    opened = reprsim.activations(tmp_path / "x.safetensors")
    assert list(opened) == ["a", "b"] and opened.sample_ids == ids.tolist()
    for name, values in layers.items():
        assert opened[name].shape == values.shape and len(opened[name]) == 9
        assert np.array_equal(np.asarray(opened[name]), values.astype("f8"))
        assert np.array_equal(np.asarray(opened[name].rows(2, 5)), values[2:5].astype("f8"))
    assert opened["a"].dtype == {"f2": "float16", "f4": "float32", "f8": "float64"}[dtype]
    compared = reprsim.compare(opened, tmp_path / "x.safetensors", pool="mean", layers="same", null=0)
    assert [round(float(r), 6) for r in compared] == [1.0, 1.0]
    with pytest.raises(reprsim.InputError):
        opened["a"].rows(5, 10)
    with pytest.raises(reprsim.FileError, match="y.npz"):
        reprsim.activations(tmp_path / "y.npz")
