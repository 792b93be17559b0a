"""Rows of docs/python/coming-from.md that say "tested", against the libraries themselves."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import reprsim

PAGE = Path(__file__).parents[3] / "docs/python/coming-from.md"
RNG = np.random.default_rng(6)
X = RNG.normal(size=(90, 14))
Y = X[:, :9] + RNG.normal(size=(90, 9))


@pytest.mark.parametrize(
    ("method", "measure"),
    [("corr", "rsa_correlation_pearson"), ("spearman", "rsa_correlation_spearman")],
)
def test_rsatoolbox(method: str, measure: str) -> None:
    rsatoolbox = pytest.importorskip("rsatoolbox")
    from rsatoolbox.data import Dataset

    rdms = [rsatoolbox.rdm.calc_rdm(Dataset(values), method="correlation") for values in (X, Y)]
    theirs = float(rsatoolbox.rdm.compare(*rdms, method=method)[0, 0])
    assert float(reprsim.compare(X, Y, measure, null=0)) == pytest.approx(theirs, abs=1e-6)


def test_torch_cka() -> None:
    torch = pytest.importorskip("torch")
    torch_cka = pytest.importorskip("torch_cka")
    torch.manual_seed(0)

    def model(width: int) -> Any:
        layers = [torch.nn.Linear(14, width), torch.nn.Tanh(), torch.nn.Linear(width, 6)]
        return torch.nn.Sequential(*layers).eval()

    one, two = model(20), model(33)
    data = torch.utils.data.TensorDataset(torch.tensor(X, dtype=torch.float32), torch.zeros(90))
    loader = torch.utils.data.DataLoader(data, batch_size=90)
    names = ["0", "1", "2"]
    cka = torch_cka.CKA(one, two, model1_layers=names, model2_layers=names, device="cpu")
    cka.compare(loader)
    theirs = cka.export()["CKA"]
    captured = []
    for each in (one, two):
        with torch.no_grad(), reprsim.capture(each, names, pool="flatten") as layers:
            for inputs, _ in loader:
                each(inputs)
        captured.append(layers)
    ours = [float(result) for result in reprsim.compare(*captured, "cka_linear_debiased", null=0)]
    assert ours == pytest.approx(theirs.flatten().tolist(), abs=2e-5)


def test_the_page_runs() -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.S)
    assert blocks
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), {})
