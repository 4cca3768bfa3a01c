"""What a saved model configuration says of its layers; nothing in it is executed."""

import json
from dataclasses import dataclass
from typing import Any

_MAX_DEPTH = 32


@dataclass(frozen=True)
class LayerConfig:
    """One layer of a model configuration.

    Attributes:
        class_name: its class.
        config: its arguments.
        trainable: whether it and all models around it are trainable; `None` if nothing says so.
    """

    class_name: str
    config: dict[str, Any]
    trainable: bool | None


def parse_json(text: str | bytes) -> dict[str, Any]:
    """Return a JSON object.

    Raises:
        ValueError: the text is none.
    """
    try:
        value = json.loads(text)
    except RecursionError:
        raise ValueError("JSON nested too deeply") from None
    if not isinstance(value, dict):
        raise ValueError(f"expected a JSON object, found {type(value).__name__}")
    return value


def layers_of(model: dict[str, Any] | None) -> dict[str, LayerConfig]:
    """Return the layers of a model configuration in order; nested ones as `inner/conv2d`.

    Args:
        model: a configuration of Keras 1, 2 or 3, or `None`.
    """
    found: dict[str, LayerConfig] = {}
    if model is not None:
        _collect(model, "", None, found, 0)
    return found


def _collect(
    model: dict[str, Any],
    prefix: str,
    outer: bool | None,
    found: dict[str, LayerConfig],
    depth: int,
) -> None:
    config = model.get("config")
    # Keras 1 and 2.0 wrote a Sequential's configuration as the list itself.
    entries = config.get("layers") if isinstance(config, dict) else config
    if not isinstance(entries, list) or depth > _MAX_DEPTH:
        return
    for entry in entries:
        if not isinstance(entry, dict) or not isinstance(entry.get("config"), dict | list):
            continue
        arguments = entry["config"] if isinstance(entry["config"], dict) else {}
        name = arguments.get("name") or entry.get("name")
        if not isinstance(name, str) or not isinstance(entry.get("class_name"), str):
            continue
        trainable = _both(outer, arguments.get("trainable"))
        path = f"{prefix}{name}"
        found[path] = LayerConfig(entry["class_name"], arguments, trainable)
        _collect(entry, f"{path}/", trainable, found, depth + 1)


def _both(outer: bool | None, own: Any) -> bool | None:
    if outer is False or own is False:
        return False
    return True if own is True else outer
