"""Models compared each with each."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from conftest import program

import reprsim

RNG = np.random.default_rng(4)
BASE = RNG.normal(size=(120, 8))
MODELS = {
    "a": BASE,
    "b": BASE @ RNG.normal(size=(8, 12)) + 0.3 * RNG.normal(size=(120, 12)),
    "c": RNG.normal(size=(120, 9)),
    "d": RNG.normal(size=(120, 5)),
}


def test_it_is_the_programs(tmp_path: Path) -> None:
    for name, values in MODELS.items():
        np.save(tmp_path / f"{name}.npy", values)
    files = [tmp_path / f"{name}.npy" for name in MODELS]
    names = "cka_linear_debiased,linear_regression_r2_b_from_a"
    done = program("matrix", *files, "--measures", names, "--null", 99, "--format", "json", "--device", "cpu")
    assert done.returncode == 0, done.stderr
    expected = json.loads(done.stdout)
    for models in (MODELS, dict(zip(MODELS, files))):
        found = reprsim.matrix(models, names.split(","), null=99)
        assert list(found) == names.split(",")
        rows = [row for matrix in found.values() for row in matrix.to_pandas().itertuples()]
        assert len(rows) == len(expected) == 6 + 12
        for row, written in zip(rows, expected):
            assert (row.model_a, row.model_b) == (written["model_a"], written["model_b"])
            assert (row.value, row.p, row.q) == (written["value"], written["p_permutation"], written["q"])


def test_what_a_matrix_gives() -> None:
    found = reprsim.matrix(MODELS, null=99)
    assert found.models == list(MODELS) and found.symmetric
    values, p, q = (np.array(of, dtype=float) for of in (found.values, found.p, found.q))
    assert np.array_equal(values, values.T) and np.allclose(np.diag(values), 1)
    assert np.isnan(np.diag(q)).all() and (q[~np.isnan(q)] >= p[~np.isnan(q)]).all()
    upper = np.triu_indices(4, 1)
    scipy = pytest.importorskip("scipy.stats")
    assert q[upper] == pytest.approx(scipy.false_discovery_control(p[upper]))
    alone = reprsim.compare(MODELS["a"], MODELS["b"], null=99)
    assert found["a", "b"].value == alone.value == values[0, 1] and found["a", "b"].p == alone.p
    tree = found.cluster()
    assert set(tree.order[:2]) == {"a", "b"} or set(tree.order[2:]) == {"a", "b"}
    hierarchy = pytest.importorskip("scipy.cluster.hierarchy")
    distances = [found[found.models[i], found.models[j]].distance for i, j in zip(*upper)]
    theirs = hierarchy.average(distances)
    assert np.allclose(np.array(tree.merges), theirs)
    assert "<svg" in found._repr_html_() and found.to_polars().shape[0] == 6
    with pytest.raises(KeyError, match="no model 'e'"):
        found["a", "e"]


def test_pictures_are_files(tmp_path: Path) -> None:
    picture = reprsim.matrix(MODELS, null=19).plot()
    picture.save(tmp_path / "models.svg")
    assert (tmp_path / "models.svg").read_text() == picture.svg == picture._repr_svg_()
    with pytest.raises(reprsim.InputError, match="ending"):
        picture.save(tmp_path / "models.jpg")


def test_one_layer_stands_for_a_model() -> None:
    layered = {name: {"first": x**3, "penultimate": x, "head": x[:, :2]} for name, x in MODELS.items()}
    alone = reprsim.matrix(MODELS, null=0)
    assert reprsim.matrix(layered, null=0).values == alone.values
    first = reprsim.matrix(layered, layer="first", null=0)
    assert first["a", "b"].layer_a == "first" and first.values != alone.values
    mixed = reprsim.matrix(layered, layer={"a": "first"}, null=0)
    assert (mixed["a", "b"].layer_a, mixed["a", "b"].layer_b) == ("first", "penultimate")
    for options in ({"layer": "last"}, {"layer": {"e": "first"}}, {"ids": {"e": [1]}}):
        with pytest.raises(reprsim.InputError):
            reprsim.matrix(layered, null=0, **options)  # type: ignore[call-overload]
    with pytest.raises(reprsim.InputError, match="two at least"):
        reprsim.matrix({"a": BASE})


def test_rows_are_matched_by_ids() -> None:
    order = RNG.permutation(120)
    ids = np.arange(120)
    shuffled = {**MODELS, "b": MODELS["b"][order]}
    found = reprsim.matrix(shuffled, ids={**dict.fromkeys(MODELS, ids), "b": ids[order]}, null=0)
    assert found.values == reprsim.matrix(MODELS, null=0).values


def test_what_is_not_symmetric_or_has_no_value() -> None:
    found = reprsim.matrix(MODELS, "linear_regression_r2_b_from_a", null=19)
    assert not found.symmetric and len(found.to_dict()["q"]) == 12
    values = np.array(found.values, dtype=float)
    assert not np.allclose(values, values.T)
    constant = reprsim.matrix({**MODELS, "e": np.ones((120, 3))}, null=0)
    assert constant.values[0][4] is None
    with pytest.raises(reprsim.UndefinedError, match="no value"):
        constant.cluster()
