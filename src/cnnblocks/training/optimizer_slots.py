"""What a Keras optimizer keeps of every variable, such as its momentum."""

from typing import Any

import keras


class KeepsSlots(keras.optimizers.Optimizer):
    """Finds what an optimizer keeps of a variable.

    Attributes:
        suffixes: How the paths of what it keeps end.
        slots: For every variable, by its `key`, what is kept of it, in the order of the suffixes.
    """

    suffixes: tuple[str, ...]

    def build(self, variables: list[Any]) -> None:
        """Make what is kept of some variables."""
        super().build(variables)
        kept = (
            [slot.value for slot in self.variables if slot.path.endswith(suffix)]
            for suffix in self.suffixes
        )
        keys = map(self.key, variables)
        self.slots = dict(zip(keys, zip(*kept, strict=True), strict=True))

    def key(self, variable: Any) -> Any:
        """What a variable is found by."""
        return id(variable)
