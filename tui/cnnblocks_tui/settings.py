"""What a person may set: flags first, then the environment, then `tui.toml`, then our choice."""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cnnblocks_tui.actions import ACTIONS
from cnnblocks_tui.places import config_directory


@dataclass(frozen=True)
class Settings:
    """How the program looks and which keys it listens to.

    Attributes:
        theme: Name of a theme, or `None` for the one used last.
        ascii: Draw with plain ASCII characters only.
        reduced_motion: No animation.
        runs_dir: Where runs live, or `None` for the usual place.
        keymap: Keys by action id, where they differ from the registry's.
        problems: Sentences about settings that were left out, to be shown once.
    """

    theme: str | None = None
    ascii: bool = False
    reduced_motion: bool = False
    runs_dir: Path | None = None
    keymap: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[str, ...] = ()


def load_settings(
    *,
    theme: str | None = None,
    ascii: bool = False,
    reduced_motion: bool = False,
    runs_dir: Path | None = None,
) -> Settings:
    """Join flags, environment (`CNNBLOCKS_ASCII`, `CNNBLOCKS_REDUCED_MOTION`) and files."""
    content, problems = _read_toml("tui.toml")
    keys, key_problems = _read_toml("keys.toml")
    keymap, unknown = _keymap(keys)
    return Settings(
        theme=theme or _text(content.get("theme")),
        ascii=ascii or _flag("CNNBLOCKS_ASCII") or content.get("ascii") is True,
        reduced_motion=reduced_motion
        or _flag("CNNBLOCKS_REDUCED_MOTION")
        or content.get("reduced_motion") is True,
        runs_dir=runs_dir,
        keymap=keymap,
        problems=(*problems, *key_problems, *unknown),
    )


def keymap_template() -> str:
    """A `keys.toml` that changes nothing: every action with its keys, commented out."""
    lines = ["# Keys of cnnblocks-tui. Take the # off a line and change its keys;"]
    lines.append("# several keys are separated by commas. ctrl+x, f5, space, slash, X are names.")
    scope = None
    for action in (action for action in ACTIONS if action.keys):
        if action.scope != scope:
            scope = action.scope
            lines += ["", f"[{scope}]"]
        lines.append(f'# {action.name} = "{action.keys}"  # {action.help}')
    return "\n".join(lines) + "\n"


def _read_toml(name: str) -> tuple[dict[str, Any], list[str]]:
    path = config_directory() / name
    try:
        return tomllib.loads(path.read_text()), []
    except FileNotFoundError:
        return {}, []
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        return {}, [f"{path} was left out: {error}"]


def _keymap(content: Mapping[str, Any]) -> tuple[dict[str, str], list[str]]:
    known = {action.id for action in ACTIONS if action.keys}
    keymap, problems = {}, []
    for scope, entries in content.items():
        for name, keys in entries.items() if isinstance(entries, dict) else [("", entries)]:
            action = f"{scope}.{name}"
            if action in known and isinstance(keys, str) and keys:
                keymap[action] = keys
            else:
                problems.append(f"keys.toml: {action.rstrip('.')} = {keys!r} is no action's keys")
    return keymap, problems


def _flag(name: str) -> bool:
    return os.environ.get(name, "") not in ("", "0")


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
