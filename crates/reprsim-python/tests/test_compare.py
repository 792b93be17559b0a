"""Values, inputs, errors."""

from __future__ import annotations

import json
import math
from array import array
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import program
from safetensors.numpy import save_file

import reprsim

RNG = np.random.default_rng(0)
X = RNG.normal(size=(150, 12)).astype("f4")
Y = (X @ RNG.normal(size=(12, 20)) + 2 * RNG.normal(size=(150, 20))).astype("f4")


def test_values_are_the_programs_to_the_last_bit(tmp_path: Path) -> None:
    x, y, z = X[:50], Y[:50], RNG.normal(size=(50, 7)).astype("f4")
    save_file({"l1": x, "l2": z}, tmp_path / "a.safetensors")
    save_file({"l1": y, "l2": z * z}, tmp_path / "b.safetensors")
    files = (tmp_path / "a.safetensors", tmp_path / "b.safetensors")
    options = ("--null", 19, "--bootstrap", 20, "--seed", 3, "--leverage", "--device", "cpu")
    done = program("compare", *files, "--measures", "all", "--format", "json", *options)
    assert done.returncode == 0, done.stderr
    expected = json.loads(done.stdout)
    asked: Any = {"null": 19, "bootstrap": 20, "seed": 3, "leverage": True}
    arrays = ({"l1": x, "l2": z}, {"l1": y, "l2": z * z})
    for models in (files, arrays):
        found = reprsim.compare(*models, ["all"], **asked)
        pairs = [row for row in expected if row["scope"] == "pair"]
        assert len(pairs) == len(found) >= 19 * 4
        for row, result in zip(pairs, found):
            interval = None if row["ci_low"] is None else (row["ci_low"], row["ci_high"])
            assert (row["measure"], row["layer_a"], row["layer_b"]) == (
                result.measure,
                result.layer_a,
                result.layer_b,
            )
            assert (row["value"], row["p_permutation"], row["null_mean"], row["calibrated"]) == (
                result.value,
                result.p,
                result.null_mean,
                result.calibrated,
            )
            assert interval == result.interval and row["n"] == result.n
        for row in expected:
            if row["scope"] == "maximum":
                assert found.maximum[row["measure"]].value == row["value"]
                assert found.maximum[row["measure"]].p == row["p_permutation"]


def layouts() -> list[Any]:
    """The same numbers, lent in every way."""
    wide = np.zeros((300, 24), "f4")
    wide[::2, ::2] = X
    read_only = X.copy()
    read_only.flags.writeable = False
    big = X.astype(">f4")
    cases: list[Any] = [
        X.astype("f8"),
        np.asfortranarray(X),
        X[::-1].copy()[::-1],
        wide[::2, ::2],
        read_only,
        big,
        np.lib.stride_tricks.as_strided(X, X.shape, X.strides),
        memoryview(X),
        X.tolist(),
        [array("d", row) for row in X.tolist()],
    ]
    pandas = pytest.importorskip("pandas")
    polars = pytest.importorskip("polars")
    cases += [pandas.DataFrame(X), polars.DataFrame(X)]
    torch = pytest.importorskip("torch")
    cases += [
        torch.tensor(X),
        torch.tensor(X).requires_grad_(),
        torch.tensor(X.T.copy()).T,
        torch.tensor(wide)[::2, ::2],
        torch.tensor(X, dtype=torch.float64),
        torch.nn.Parameter(torch.tensor(X)),
    ]
    return cases


def test_layouts_of_memory() -> None:
    expected = reprsim.compare(X, Y, null=0).value
    for case in layouts():
        assert reprsim.compare(case, Y, null=0).value == expected, type(case)
        assert reprsim.compare(Y, case, null=0).n == 150


def test_numbers_of_sixteen_bits() -> None:
    torch = pytest.importorskip("torch")
    half, brain = X.astype("f2"), torch.tensor(X).bfloat16()
    for short in (half, torch.tensor(half), brain):
        whole = torch.as_tensor(short).double().numpy()
        assert reprsim.compare(short, Y, null=0).value == reprsim.compare(whole, Y, null=0).value


def test_jax() -> None:
    jax = pytest.importorskip("jax")
    expected = reprsim.compare(X, Y, null=0).value
    assert reprsim.compare(jax.numpy.asarray(X), Y, null=0).value == expected
    brain = jax.numpy.asarray(X, dtype="bfloat16")
    assert 0.5 < float(reprsim.compare(brain, X, null=0)) <= 1.0


def test_input_is_not_changed_nor_kept() -> None:
    import sys

    x = X.copy()
    before = sys.getrefcount(x)
    reprsim.compare(x, Y)
    assert sys.getrefcount(x) == before and np.array_equal(x, X)


def test_axes_are_pooled_as_the_program_pools_them(tmp_path: Path) -> None:
    maps = RNG.normal(size=(40, 6, 5, 5)).astype("f4")
    tokens = RNG.normal(size=(40, 9, 6)).astype("f4")
    pooled = {"mean": maps.mean((2, 3)), "max": maps.max((2, 3)), "flatten": maps.reshape(40, -1)}
    for how, expected in pooled.items():
        assert float(reprsim.compare(maps, expected, pool=how, null=0)) == pytest.approx(1.0, abs=1e-6)
    places = {"first": tokens[:, 0], "last": tokens[:, -1]}
    for how, expected in places.items():
        assert float(reprsim.compare(tokens, expected, pool=how, null=0)) == pytest.approx(1.0, abs=1e-6)
    mask = (np.arange(9) < RNG.integers(1, 10, 40)[:, None]).astype(int)
    real = np.stack([t[m == 1].mean(0) for t, m in zip(tokens, mask)])
    masked = reprsim.compare({"x": tokens}, {"x": real}, pool="mean", mask=(mask, None), null=0)
    assert masked[0].value == pytest.approx(1.0, abs=1e-6)
    with pytest.raises(reprsim.InputError, match="with pool="):
        reprsim.compare(tokens, tokens)
    with pytest.raises(reprsim.InputError, match="1 for a real token"):
        reprsim.compare(tokens, tokens, pool="mean", mask=mask + 1)


def test_groups_are_permuted_whole() -> None:
    group = np.repeat(np.arange(15), 10)
    names = [f"object{g}" for g in group]
    noise = RNG.normal(size=(15, 8))[group]
    x = noise + 0.1 * RNG.normal(size=(150, 8))
    y = RNG.normal(size=(15, 8))[group] + 0.1 * RNG.normal(size=(150, 8))
    alone = reprsim.compare(x, y, "mutual_knn")
    grouped = reprsim.compare(x, y, "mutual_knn", groups=names)
    # Samples of a group are neighbours in both, which permuted samples take for agreement.
    assert alone.p == pytest.approx(1 / 201) and grouped.p is not None and grouped.p > 0.02
    assert grouped == reprsim.compare(x, y, "mutual_knn", groups=group)


def test_rows_are_matched_by_ids(caplog: pytest.LogCaptureFixture) -> None:
    expected = reprsim.compare(X[:100], Y[:100], null=9)
    ids = [f"image{i}" for i in range(150)]
    order = RNG.permutation(150)
    with caplog.at_level("INFO", "reprsim"):
        found = reprsim.compare(
            X, Y[order], ids_x=ids[:100] + list("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWX"),
            ids_y=np.array(ids)[order], null=9,
        )  # fmt: skip
    assert (found.n, found.value, found.p) == (100, expected.value, expected.p)
    said = [record.getMessage() for record in caplog.records]
    assert any("x: 50 samples left out that another model lacks: a, b, c" in text for text in said)
    groups = reprsim.compare(X, Y, groups=np.repeat(np.arange(30), 5), null=9)
    matched = reprsim.compare(
        X, Y[order], groups=np.repeat(np.arange(30), 5), ids_x=np.arange(150), ids_y=order, null=9
    )
    assert (groups.value, groups.p) == (matched.value, matched.p)
    for other in ([*ids[:-1], ids[0]], ids[:20], [f"photo{i}" for i in range(150)], None):
        with pytest.raises(reprsim.InputError):
            reprsim.compare(X, Y, ids_x=ids, ids_y=other, null=0)


def test_samples_may_be_permuted_within_groups() -> None:
    group = np.repeat(np.arange(3), 50)
    x = RNG.normal(size=(3, 6))[group] * 3 + RNG.normal(size=(150, 6))
    y = RNG.normal(size=(3, 6))[group] * 3 + RNG.normal(size=(150, 6))
    # What classes have in common is not what samples have.
    assert (reprsim.compare(x, y).p or 1) < 0.02
    assert (reprsim.compare(x, y, groups=group, permute="within").p or 0) > 0.05


def test_other_orders_of_axes() -> None:
    maps = RNG.normal(size=(40, 6, 5, 5)).astype("f4")
    last = np.moveaxis(maps, 1, 3)
    first = reprsim.compare(maps, Y[:40], pool="mean", null=0).value
    assert reprsim.compare({"x": last}, {"y": Y[:40]}, pool="mean", axes="nhwc", null=0)[0].value == first
    assert reprsim.compare(X[:, 0], Y, null=0).d_a == 1


def test_whole_numbers() -> None:
    torch = pytest.importorskip("torch")
    numbers = RNG.integers(-100, 100, (150, 12))
    expected = reprsim.compare(numbers.astype("f8"), Y, null=0).value
    for kind in ("i1", "i2", "i4", "i8"):
        assert reprsim.compare(numbers.astype(kind), Y, null=0).value == expected
    for form in (torch.tensor(numbers), memoryview(numbers), numbers.tolist()):
        assert reprsim.compare(form, Y, null=0).value == expected
    truths = numbers > 0
    expected = reprsim.compare(truths.astype("u2"), Y, null=0).value
    for form in (truths, torch.tensor(truths), truths.astype("u1")):
        assert reprsim.compare(form, Y, null=0).value == expected


def test_degenerate_input_says_why() -> None:
    result = reprsim.compare(X, np.ones_like(Y))
    assert result.value is None and result.undefined == "constant layer" and result.p is None
    with pytest.raises(reprsim.UndefinedError, match="constant layer"):
        float(result)
    assert "undefined (constant layer)" in repr(result)
    bad = X.copy()
    bad[3, 4] = math.nan
    assert reprsim.compare(bad, Y).undefined == "activation is not finite"


def test_mistakes_are_typed() -> None:
    masked = np.ma.masked_array(X, X > 1)
    torch = pytest.importorskip("torch")
    mistakes: list[Any] = [
        (X, Y[:10]),
        (X.astype(complex), Y),
        (X.reshape(150, 3, 4), Y),
        (X[:, :0], Y),
        (masked, Y),
        ([[1.0, 2.0], [3.0]], Y),
        ([["a"]], Y),
        (b"bytes", Y),
        (None, Y),
        (torch.tensor(X).to_sparse(), Y),
        ({}, Y),
    ]
    for x, y in mistakes:
        with pytest.raises(reprsim.InputError):
            reprsim.compare(x, y)
    for options in (
        {"measure": "ckaa"},
        {"measure": []},
        {"null": -1},
        {"null": 10**9},
        {"mode": "loose"},
        {"pool": "avg"},
        {"layers": "some"},
        {"device": "quantum"},
        {"groups": [1, 2, 3]},
        {"measure": "mutual_knn", "k": 0},
    ):
        with pytest.raises(reprsim.InputError):
            reprsim.compare(X, Y, **options)  # type: ignore[call-overload]
    with pytest.raises(reprsim.FileError, match="none.npy"):
        reprsim.compare("none.npy", Y)
    assert issubclass(reprsim.InputError, ValueError) and issubclass(reprsim.InputError, reprsim.ReprsimError)


def test_more_memory_than_there_is() -> None:
    x = np.zeros((20_000, 1), "f4")
    with pytest.raises(reprsim.MemoryLimitError, match="permutations"):
        reprsim.compare(x, x, null=10_000_000)
    assert issubclass(reprsim.MemoryLimitError, MemoryError)


def test_arrays_are_lent_not_copied() -> None:
    import os

    from reprsim._arrays import as_array

    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    if not Path("/proc/self/statm").exists():
        pytest.skip("the system does not say how much memory is taken")
    x = np.ones((40_000, 1000), "f4")
    torch = pytest.importorskip("torch")
    before = resident()
    for form in (x, x[::2], x.T, torch.from_numpy(x), torch.from_numpy(x).T):
        lent = as_array(form)
        assert lent.shape == list(form.shape)
        assert resident() - before < x.nbytes // 10


def test_python_runs_meanwhile() -> None:
    from threading import Thread

    x = RNG.normal(size=(3000, 64))
    thread = Thread(target=lambda: reprsim.compare(x, x**2, "mutual_knn", null=300))
    thread.start()
    turns = 0
    while thread.is_alive():
        turns += 1
        thread.join(0.001)
    assert turns > 20


def test_distances_and_angles() -> None:
    result = reprsim.compare(X, Y, "procrustes", null=0)
    value = float(result)
    assert result.distance == pytest.approx(math.sqrt(2 - 2 * value))
    assert result.angle == pytest.approx(math.acos(value))
    metric = reprsim.Metric("procrustes")
    metric.update(X, Y)
    assert metric.compute().angle == pytest.approx(result.angle, abs=1e-5)
    unbounded = reprsim.compare(X, Y, "cka_linear_row_column", null=0)
    assert unbounded.distance is None and unbounded.angle is None


def test_a_covariate_is_held_fixed(tmp_path: Path) -> None:
    common = RNG.normal(size=(150, 6))
    x = np.hstack([common, RNG.normal(size=(150, 4))])
    y = np.hstack([common, RNG.normal(size=(150, 4))])
    plain = reprsim.compare(x, y, "cka")
    beyond = reprsim.compare(x, y, "cka", covariate=common)
    assert (plain.p or 1) < 0.01 and (beyond.p or 0) > 0.05
    for name, values in (("x", x), ("y", y), ("c", common)):
        np.save(tmp_path / f"{name}.npy", values)
    files = [tmp_path / f"{name}.npy" for name in "xyc"]
    done = program("compare", *files[:2], "--measures", "cka", "--covariate", files[2], "--format", "json")
    row = json.loads(done.stdout)[0]
    assert (row["value"], row["p_permutation"]) == (beyond.value, beyond.p)
    assert reprsim.compare(files[0], y, "cka", covariate=files[2])[0].value == beyond.value
    with pytest.raises(reprsim.InputError):
        reprsim.compare(x, y, "cca_mean", covariate=common)


def test_results_are_tables() -> None:
    results = reprsim.compare({"a": X, "b": X**3}, {"c": Y}, ["cka", "procrustes"])
    assert [r.layer_a for r in results] == ["a", "b", "a", "b"]
    assert len(results["procrustes_similarity"]) == 2
    assert results.maximum["cka_linear_biased"].value == max(
        r.value or 0 for r in results["cka_linear_biased"]
    )
    with pytest.raises(KeyError, match="there are: cka_linear_biased"):
        results["cka"]
    pandas, polars = results.to_pandas(), results.to_polars()
    assert list(pandas["value"]) == [r.value for r in results] == polars["value"].to_list()
    assert pandas.shape == polars.shape == (4, len(pandas.columns))
    assert "procrustes_similarity" in repr(results) and "<table>" in results._repr_html_()
    alone = reprsim.compare(X, Y)
    assert "p 0.0050" in repr(alone) and "cka_linear_debiased" in repr(alone)


def test_what_the_library_says_goes_to_logging(caplog: pytest.LogCaptureFixture) -> None:
    tokens = RNG.normal(size=(40, 9, 6)).astype("f4")
    tokens[:, 5:] = 0
    reprsim.compare(tokens, tokens, pool="mean", null=0)
    assert any(r.name == "reprsim" and "mask=" in r.getMessage() for r in caplog.records)


def test_threads_may_compare_at_once() -> None:
    from concurrent.futures import ThreadPoolExecutor

    expected = reprsim.compare(X, Y)
    with ThreadPoolExecutor(4) as pool:
        assert all(r == expected for r in pool.map(lambda _: reprsim.compare(X, Y), range(8)))


def test_channels_that_look_last_are_told(caplog: pytest.LogCaptureFixture) -> None:
    maps = RNG.normal(size=(40, 5, 5, 6)).astype("f4")

    def told(call: Any) -> bool:
        caplog.clear()
        call()
        return any(r.levelname == "WARNING" and 'axes="nhwc"' in r.getMessage() for r in caplog.records)

    for pool in ("mean", "max"):
        assert told(lambda: reprsim.compare({"maps": maps}, Y[:40], pool=pool, null=0))
        assert told(lambda: reprsim.Metric(pool=pool).update(maps, Y[:40]))
        for axes in ("nhwc", "nchw"):
            assert not told(lambda: reprsim.compare(maps, Y[:40], pool=pool, axes=axes, null=0))
            assert not told(lambda: reprsim.Metric(pool=pool, axes=axes).update(maps, Y[:40]))
    assert not told(lambda: reprsim.compare(maps, Y[:40], pool="flatten", null=0))
    metric = reprsim.Metric(pool="mean", axes="nhwc")
    metric.update(maps, Y[:40])
    assert metric.compute().d_a == 6
    assert metric.compute().value == pytest.approx(reprsim.compare(maps.mean((1, 2)), Y[:40], null=0).value)


def test_axes_and_masks_that_nothing_uses_are_refused(tmp_path: Path) -> None:
    tokens = RNG.normal(size=(40, 9, 6)).astype("f4")
    mask = (np.arange(9) < RNG.integers(1, 10, 40)[:, None]).astype(int)
    np.save(tmp_path / "x.npy", X[:40])
    for x in (X[:40], {"a": X[:40]}, tmp_path / "x.npy"):
        with pytest.raises(reprsim.InputError, match="no layer has 4 axes"):
            reprsim.compare(x, Y[:40], pool="mean", axes="nhwc")  # type: ignore[call-overload]
    with pytest.raises(reprsim.InputError, match="no layer has 4 axes"):
        reprsim.matrix({"a": X, "b": Y}, axes="nhwc")
    with pytest.raises(reprsim.InputError, match="both of 4 axes"):
        reprsim.compare(tokens[..., None], Y[:40], pool="mean", axes=["nhwc", "nchw"])
    with pytest.raises(reprsim.InputError, match="both of 4 axes"):
        reprsim.Metric(axes=["nhwc", "nchw"])
    with pytest.raises(reprsim.InputError, match="which a mask is for"):
        reprsim.compare(X[:40], Y[:40], mask=mask)
    for axes in (["ntc", "nhwc"], "ntc,nhwc"):
        with pytest.raises(reprsim.InputError, match="'nhwc': no layer has 4 axes"):
            reprsim.compare(tokens, Y[:40], pool="mean", axes=axes)


def test_a_covariate_has_the_mask_of_x() -> None:
    tokens = RNG.normal(size=(40, 9, 6)).astype("f4")
    mask = (np.arange(9) < RNG.integers(1, 10, 40)[:, None]).astype(int)
    real = np.stack([t[m == 1].mean(0) for t, m in zip(tokens, mask)])
    x = RNG.normal(size=(40, 9, 4)).astype("f4")
    given: Any = {"pool": "mean", "mask": (mask, None), "null": 0}
    held = reprsim.compare(x, Y[:40], "cka", covariate=tokens, **given)
    pooled = reprsim.compare(x, Y[:40], "cka", covariate=real, **given)
    assert held.value == pytest.approx(pooled.value, abs=1e-6)
    padded = tokens.copy()
    padded[mask == 0] = 99
    assert reprsim.compare(x, Y[:40], "cka", covariate=padded, **given).value == held.value
