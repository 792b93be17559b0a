"""A forked process has none of the threads that compute."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

FORKED = """
import os, signal, reprsim
x = [[0.1, 1.0], [0.7, -0.4], [-1.2, 0.3], [0.9, 0.8], [-0.5, -0.9]]

def told(call):
    try:
        call()
    except reprsim.ReprsimError as error:
        return "spawn" in str(error)

def child(check):
    pid = os.fork()
    if pid == 0:
        # One that hangs ends.
        signal.alarm(30)
        os._exit(0 if check() else 1)
    assert os.waitpid(pid, 0)[1] == 0

# Before anything was computed a child has all that it needs.
child(lambda: reprsim.compare(x, x, null=9).n == 5)
metric = reprsim.Metric()
metric.update(x, x)
reprsim.compare(x, x, null=9)
child(lambda: told(lambda: reprsim.compare(x, x, null=9)))
child(lambda: told(lambda: reprsim.matrix({"a": x, "b": x})))
child(lambda: told(lambda: metric.update(x, x)))
child(lambda: told(metric.compute))
assert reprsim.compare(x, x, null=9).n == 5
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system does not fork")
def test_a_forked_process_says_so() -> None:
    done = subprocess.run([sys.executable, "-c", FORKED], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
