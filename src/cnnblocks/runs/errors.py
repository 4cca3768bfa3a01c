"""What can go wrong with a run's files, told to the person who can mend it."""

from cnnblocks.errors import CnnblocksError


class RunError(CnnblocksError):
    """A run cannot be read, written, or do what was asked."""


class RunNotFoundError(RunError, LookupError):
    """No run, or more than one, answers to the name given."""


class RunBusyError(RunError):
    """Another process is training this run."""


class NewerSchemaError(RunError):
    """The file was written by a later version of cnnblocks than this one."""
