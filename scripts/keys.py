"""Write docs/keys.md from the registry of actions. Run: python scripts/keys.py"""

from pathlib import Path

from textual.keys import format_key

from cnnblocks_tui.actions import SCOPES, actions

PAGE = Path(__file__).parents[1] / "docs" / "keys.md"


def page() -> str:
    """The page of keys as Markdown."""
    lines = [
        "# Keys of cnnblocks-tui",
        "",
        "Generated from the program's registry of actions by `python scripts/keys.py`.",
        "Inside the program, `?` shows the keys of what is in focus and `ctrl+p` finds any action.",
        "The keys listed here can be changed: `cnnblocks-tui --print-keymap > keys.toml` writes a",
        "file to start from; it belongs into the configuration directory that `cnnblocks doctor`",
        "names.",
        "The mouse works everywhere: a click on `≡` lists every action of the screen. Not",
        "changeable: tab, which moves between the parts of a screen, and space, which chooses in a",
        "list of which any number may be chosen.",
    ]
    for scope, heading in SCOPES.items():
        lines += [
            "",
            f"## {heading}",
            "",
            "| key | action | name in `keys.toml` |",
            "|---|---|---|",
        ]
        for action in actions(scope):
            keys = ", ".join(f"`{shown(key)}`" for key in action.keys.split(",") if key)
            lines.append(f"| {keys or 'palette'} | {action.help} | `{scope}.{action.name}` |")
    return "\n".join(lines) + "\n"


def shown(key: str) -> str:
    """A key as people write it: `?` for `question_mark`."""
    return key if "+" in key else format_key(key)


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page())
    print(f"Written: {PAGE}")
