"""The program in the wheel, the import, Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import numpy as np
import pytest
from conftest import EXPERIMENT, program

import reprsim


def test_the_program_comes_with_the_package() -> None:
    version = program("--version")
    assert version.returncode == 0 and version.stdout.strip() == f"reprsim {reprsim.__version__}"
    wrong = program("comp")
    assert wrong.returncode == 2 and "unrecognized subcommand" in wrong.stderr
    assert program("compare", "a.npy", "b.npy").returncode == 2
    assert program().returncode == 2
    script = Path(sys.executable).with_name("reprsim")
    if script.exists():
        done = subprocess.run([script, "measures", "--format", "csv"], capture_output=True, text=True)
        assert done.returncode == 0 and done.stdout.startswith("name,")


def test_the_program_ends_by_signals_as_alone(tmp_path: Path) -> None:
    # Without a command that listens: by the signal itself.
    for name in ("a", "b"):
        np.save(tmp_path / f"{name}.npy", np.random.default_rng(0).normal(size=(4000, 64)))
    endless = [sys.executable, "-m", "reprsim", "compare", "a.npy", "b.npy", "--null", "1000000"]
    process = subprocess.Popen(endless, cwd=tmp_path, stderr=subprocess.DEVNULL)
    time.sleep(2)
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == -signal.SIGINT
    # A run stops where it can go on.
    (tmp_path / "long.toml").write_text(EXPERIMENT.replace("epochs = 1", "epochs = 100000"))
    command = [sys.executable, "-m", "reprsim", "run", "long.toml", "--data-dir", "data", "--device", "cpu"]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line)
        if line.startswith(b"[1/"):
            # The first cell is at work.
            process.send_signal(signal.SIGINT)
    assert process.wait(60) == 75, said


def test_importing_is_fast_and_needs_nothing() -> None:
    code = (
        "import sys, time; t = time.perf_counter(); import reprsim; t = time.perf_counter() - t; "
        "assert not {'numpy', 'torch', 'pandas', 'polars'} & set(sys.modules); print(t)"
    )
    times = [
        float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
        for _ in range(5)
    ]
    # 0.2 s on a machine that does nothing else.
    assert median(times) < 0.2 * (1 + os.getloadavg()[0] / (os.cpu_count() or 1)), times


STOPPED = """
import os, signal, sys, threading, time
import numpy as np
import reprsim

x, y = np.random.default_rng(0).normal(size=(2, 4000, 64))
for options in ({"null": 1_000_000}, {"null": 0, "bootstrap": 1_000_000}):
    threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT)).start()
    start = time.monotonic()
    try:
        reprsim.compare(x, y, sys.argv[1], **options)
    except KeyboardInterrupt:
        print(time.monotonic() - start)
# What is left can still be used.
assert reprsim.compare(x, y, null=9).n == 4000
"""


@pytest.mark.parametrize("measure", ["cka_linear_debiased", "mutual_knn", "cca_mean", "rsa_correlation_spearman"])
def test_ctrl_c_stops(measure: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", STOPPED, measure], capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stderr
    times = [float(line) for line in done.stdout.split()]
    assert len(times) == 2, "both were stopped"
    # It is waited for two seconds at most.
    assert max(times) < 3.5 * (1 + os.getloadavg()[0] / (os.cpu_count() or 1)), times
