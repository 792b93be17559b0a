"""The program ``reprsim``, which is in the extension."""

from __future__ import annotations

import signal
import sys
from typing import NoReturn

from . import _reprsim


def main() -> NoReturn:
    """Runs the program with the arguments of this process, which then ends with its exit code.

    Signals are the program's: without a command that listens for them Ctrl-C ends it at once.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.exit(_reprsim.program(sys.argv))
