"""A run in which tests skip does not pass where they must not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = {
    "test": "import pytest\ndef test_it():\n    pytest.importorskip('no_such_library')\n",
    "module": "import pytest\npytest.importorskip('no_such_library')\ndef test_it():\n    pass\n",
}


@pytest.mark.parametrize("kind", TESTS)
def test_a_skip_fails_where_libraries_are_required(tmp_path: Path, kind: str) -> None:
    (tmp_path / "conftest.py").write_text((Path(__file__).with_name("conftest.py")).read_text())
    (tmp_path / "test_it.py").write_text(TESTS[kind])
    done = {}
    for required in ("0", "1"):
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", tmp_path]
        environment = {**os.environ, "REPRSIM_REQUIRE_PEERS": required}
        done[required] = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done["0"].returncode in (0, 5) and "1 skipped" in done["0"].stdout
    assert done["1"].returncode not in (0, 5) and "no_such_library" in done["1"].stdout
