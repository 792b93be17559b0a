"""What several tests need."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

EXPERIMENT = """\
name = "tiny"
seeds = 2
[dataset]
name = "color-shape-digit"
preset = "varied"
factor_classes = 4
label = ["digit"]
train_samples = 400
train_per_model = 64
[model]
name = "cnn"
width = 2
[training]
epochs = 1
optimizer = { name = "sgd", lr = 0.1, momentum = 0.9, weight_decay = 5e-4 }
schedule = { name = "triangular", peak = 0.5 }
drop_last = true
batch = 32
[[axis]]
kind = "data"
levels = [0, 1]
[[probe]]
name = "test"
samples = 60
[analysis]
primary = { measure = "cka_linear_debiased", probe = "test", layer = "penultimate" }
"""


def program(*args: object, **options: object) -> subprocess.CompletedProcess[str]:
    """Runs the program as a user does, in a process of its own."""
    command = [sys.executable, "-m", "reprsim", *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, **options)  # type: ignore[call-overload,no-any-return]


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a tiny experiment."""
    folder = tmp_path_factory.mktemp("run")
    (folder / "tiny.toml").write_text(EXPERIMENT)
    done = program("run", "tiny.toml", "--out", "run", "--data-dir", "data", "--device", "cpu", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder / "run"


def failed_if_skipped(report: Any) -> Any:
    """Where every library is there (``scripts/test-python`` says so), a test that skips tests nothing."""
    # What is expected to fail is told as skipped, too.
    skipped = report.skipped and not hasattr(report, "wasxfail")
    if skipped and os.environ.get("REPRSIM_REQUIRE_PEERS") == "1":
        report.outcome = "failed"
        why = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.longrepr = f"REPRSIM_REQUIRE_PEERS=1, but: {why}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, Any, Any]:
    return failed_if_skipped((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, Any, Any]:
    return failed_if_skipped((yield))
