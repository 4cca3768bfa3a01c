"""What can go wrong with training, told to the person who can mend it."""

from cnnblocks.errors import CnnblocksError


class TrainingError(CnnblocksError):
    """Training cannot start, or had to end."""


class RecipeError(TrainingError, ValueError):
    """A recipe or one of its fields is not as it should be."""


class DeviceError(TrainingError, RuntimeError):
    """The device asked for is not there."""


class CheckpointError(TrainingError):
    """A checkpoint cannot be read, or belongs to another run."""


class Ended(Exception):
    """Training ends before its last epoch, as it should.

    Args:
        state: The run's state from now on.
        reason: Why, in a sentence.
    """

    def __init__(self, state: str, reason: str):
        super().__init__(reason)
        self.state = state
        self.reason = reason
