"""What can go wrong, as exceptions."""

from __future__ import annotations


class ReprsimError(Exception):
    """Any failure of reprsim; by itself one that is nobody's mistake: a device, a bug."""


class InputError(ReprsimError, ValueError):
    """A value that cannot be used: a shape, a type, a name; the message says what to do."""


class FileError(ReprsimError):
    """A file that cannot be read, is damaged, or is not what its ending says."""


class MemoryLimitError(ReprsimError, MemoryError):
    """More memory is needed than may be used."""


class UndefinedError(ReprsimError, ArithmeticError):
    """A measure without a value where a number was asked for: ``float(result)``."""
