"""The examples in docstrings, and those of the README."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import reprsim

README = Path(__file__).parents[3] / "README.md"
MODULES = sorted(module.name for module in pkgutil.iter_modules(reprsim.__path__) if module.name != "__main__")


@pytest.mark.parametrize("name", ["", *MODULES])
def test_docstrings(name: str, request: pytest.FixtureRequest) -> None:
    pytest.importorskip("torch")
    module = importlib.import_module(f"reprsim.{name}".rstrip("."))
    globs = {"run": str(request.getfixturevalue("run"))} if name == "_tables" else {}
    assert doctest.testmod(module, extraglobs=globs).failed == 0


def test_everything_public_is_explained() -> None:
    for name in reprsim.__all__:
        if name == "__version__":
            continue
        value = getattr(reprsim, name)
        assert value.__doc__, name
        shown: Any = value.__init__ if isinstance(value, type) else value
        if not isinstance(value, type) or name == "Metric":
            explained = value.__doc__ + (shown.__doc__ or "")
            assert ">>>" in explained, f"{name} has no example"


def test_the_readme_as_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its Python is run from first to last line, beside files of the names in it."""
    pytest.importorskip("torchvision")
    monkeypatch.chdir(tmp_path)
    section = README.read_text().split("## In Python")[1].split("\n## ")[0]
    blocks = re.findall(r"```python\n(.*?)```", section, re.S)
    assert blocks
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 16)).astype("f4")
    names: dict[str, Any] = {"x": x, "y": x @ rng.normal(size=(16, 24)) + rng.normal(size=(200, 24))}
    for block in blocks:
        exec(compile(block, str(README), "exec"), names)
