"""Training: recipes, the training process, checkpoints and resuming.

Importing this needs no Keras until something is trained.
"""

from cnnblocks.training.config import TrainingConfig
from cnnblocks.training.errors import CheckpointError, DeviceError, RecipeError, TrainingError
from cnnblocks.training.recipes import Recipe, recipe
from cnnblocks.training.run import Run, train

__all__ = [
    "CheckpointError",
    "DeviceError",
    "Recipe",
    "RecipeError",
    "Run",
    "TrainingConfig",
    "TrainingError",
    "recipe",
    "train",
]
