"""``python -m reprsim`` is the program."""

import sys

from ._program import main

sys.argv[0] = "reprsim"
main()
