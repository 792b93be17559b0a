"""How alike are representations: similarity measures with their chance levels, p-values and scores.

>>> import reprsim
>>> x = [[1.0, 0.0], [0.0, 1.0], [-1.0, 0.5], [0.3, -1.0], [2.0, 0.1]]
>>> round(float(reprsim.compare(x, x, null=0)), 12)
1.0
"""

from ._activations import Activations, activations
from ._calibrate import calibrate
from ._capture import Capture, capture
from ._compare import compare
from ._errors import FileError, InputError, MemoryLimitError, ReprsimError, UndefinedError
from ._matrix import Matrix, matrix
from ._metric import Metric
from ._reprsim import __version__
from ._result import Result, Results
from ._table import Table
from ._tables import analyze, measures, read

__all__ = [
    "Activations",
    "Capture",
    "FileError",
    "InputError",
    "MemoryLimitError",
    "Matrix",
    "Metric",
    "ReprsimError",
    "Result",
    "Results",
    "Table",
    "UndefinedError",
    "__version__",
    "activations",
    "analyze",
    "calibrate",
    "capture",
    "compare",
    "matrix",
    "measures",
    "read",
]
