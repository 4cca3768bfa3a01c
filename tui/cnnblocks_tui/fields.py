"""The fields of the new-run form: how their texts are read and what is wrong with them."""

import ast
import json
from dataclasses import dataclass
from math import inf, isfinite
from typing import Any

from cnnblocks.paths import expanded

CHOICES: dict[str, tuple[str, ...]] = {
    "recipe": ("default", "original", "speedrun"),
    "precision": ("float32", "mixed_bfloat16", "mixed_float16", "auto"),
    "keep": ("best", "last"),
    "freeze": ("none", "backbone"),
    "tune": ("auto", "off"),
    "optimizer": ("adamw", "adam", "sgd"),
    "schedule": ("one-cycle", "cosine", "constant"),
    "validation": ("holdout", "tail", "test", "none"),
    "best_by": ("val_loss", "val_accuracy", "loss", "accuracy"),
    "outputs": ("auto", "probabilities", "logits"),
    "resize": ("stretch", "pad", "crop"),
    "scaling": ("standardize", "0..1", "-1..1", "raw"),
    "class_weights": ("none", "balanced"),
    "kernel_initializer": (
        *("none", "glorot_uniform", "he_normal", "he_uniform"),
        *("orthogonal", "lsuv"),
    ),
    "classifier_activation": ("softmax", "sigmoid", "none"),
}
POSITIVE = ("epochs", "batch_size", "checkpoint_every", "early_stopping")
SHARES = ("warmup", "label_smoothing", "momentum")
INNER_SHARES = ("validation_split", "ema")
ABOVE_ZERO = ("learning_rate", "clip_norm")
HINTS = {
    "epochs": "passes over the training images",
    "batch_size": "images a step",
    "input_shape": "such as 32x32x3, or none",
    "learning_rate": "highest of the schedule",
    "warmup": "share of the steps with rising rate",
    "weight_decay": "of kernels only",
    "clip_norm": "of the gradients, or none",
    "label_smoothing": "share spread over all classes",
    "ema": "momentum of averaging, or none",
    "early_stopping": "epochs of patience, or none",
    "checkpoint_every": "keep every n-th epoch, or none",
    "validation_split": "share that judges the epochs",
    "augmentation": "such as shift=2, flip=True",
    "network_args": "such as width=0.5",
    "weights": "a file to start from, or none",
    "seed": "of everything random",
}


class FieldError(ValueError):
    """A text that is no value of its field; says what was expected."""


@dataclass(frozen=True)
class Kind:
    """What a field holds, judged by the value it starts from."""

    name: str
    start: Any

    def read(self, text: str) -> Any:
        """The value that a text stands for.

        Raises:
            FieldError: It stands for none; the message says what was expected.
        """
        text = text.strip()
        if self.name in CHOICES:
            return None if text == "none" and self.name != "validation" else text
        if self.name == "seed":
            return _number(text, int, lambda value: value >= 0, "a whole number, 0 or more")
        if self.name in ("input_shape",):
            return None if _is_none(text) else _shape(text)
        if self.name in ("augmentation", "network_args"):
            return _arguments(text)
        if isinstance(self.start, bool):
            return text == "yes"
        return self._read_number(text)

    def _read_number(self, text: str) -> Any:
        if self.start is None and _is_none(text):
            return None
        if self.name in POSITIVE:
            return _number(text, int, lambda value: value > 0, "a whole number, 1 or more")
        if self.name in SHARES:
            return _number(text, float, lambda value: 0 <= value < 1, "a number from 0 to 0.99")
        if self.name in INNER_SHARES:
            return _number(text, float, lambda value: 0 < value < 1, "a number between 0 and 1")
        if self.name in ABOVE_ZERO:
            return _number(text, float, lambda value: 0 < value < inf, "a number above 0")
        if self.name == "head_bias":
            return _number(text, float, isfinite, "a number")
        if isinstance(self.start, int | float):
            return _number(text, float, lambda value: 0 <= value < inf, "a number, 0 or more")
        return _file(text) if self.name == "weights" else text

    def write(self, value: Any) -> str:
        """A value as the text of its field."""
        if value is None:
            return "none"
        if isinstance(value, bool):
            return "yes" if value else "no"
        if isinstance(value, dict):
            return ", ".join(f"{name}={entry!r}" for name, entry in value.items())
        if self.name == "input_shape":
            return "x".join(str(length) for length in value)
        if isinstance(value, float):
            return f"{value:g}" if float(f"{value:g}") == value else repr(value)
        return value if isinstance(value, str) else json.dumps(value)


def _is_none(text: str) -> bool:
    return text.lower() in ("", "none")


def _number(text: str, kind: Any, holds: Any, expected: str) -> Any:
    try:
        value = kind(text)
    except ValueError:
        raise FieldError(f"expected {expected}") from None
    if not holds(value):
        raise FieldError(f"expected {expected}")
    return value


def _file(text: str) -> str:
    try:
        path = expanded(text)
        if path.exists():
            return str(path)
    except (ValueError, OSError):
        pass  # A user, or a name, that there cannot be.
    raise FieldError("expected a file that is there, or none")


def _shape(text: str) -> list[int]:
    parts = text.lower().replace("×", "x").split("x")
    if len(parts) != 3 or not all(part.strip().isdecimal() and int(part) for part in parts):
        raise FieldError("expected such as 32x32x3")
    return [int(part) for part in parts]


def _arguments(text: str) -> dict[str, Any]:
    """`shift=2, flip=True` as a dictionary, read without evaluating anything."""
    if _is_none(text):
        return {}
    try:
        call = ast.parse(f"f({text})", mode="eval").body
        if not isinstance(call, ast.Call) or call.args or not all(e.arg for e in call.keywords):
            raise ValueError(text)
        return {str(entry.arg): ast.literal_eval(entry.value) for entry in call.keywords}
    except (SyntaxError, ValueError):
        raise FieldError("expected name=value, name=value") from None
