"""How alike are representations: similarity measures with their chance levels, p-values and scores.

>>> import reprsim
>>> x = [[1.0, 0.0], [0.0, 1.0], [-1.0, 0.5], [0.3, -1.0], [2.0, 0.1]]
>>> reprsim.compare(x, x, null=0).value
1.0
"""

from ._capture import Capture, capture
from ._compare import compare
from ._errors import FileError, InputError, MemoryLimitError, ReprsimError, UndefinedError
from ._reprsim import __version__
from ._result import Result, Results

__all__ = [
    "Capture",
    "FileError",
    "InputError",
    "MemoryLimitError",
    "ReprsimError",
    "Result",
    "Results",
    "UndefinedError",
    "__version__",
    "capture",
    "compare",
]
