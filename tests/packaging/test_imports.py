"""What must never import a deep-learning framework, in fresh processes."""

import subprocess
import sys

import pytest

HEAVY = ("tensorflow", "jax", "torch", "keras", "tf_keras", "sklearn", "matplotlib")


def imported_heavies(code):
    """Which heavy packages a fresh interpreter holds after running `code`."""
    report = f"\nimport sys; print(*[m for m in {HEAVY!r} if m in sys.modules], sep='\\n')"
    result = subprocess.run(
        [sys.executable, "-c", code + report], capture_output=True, text=True, check=True
    )
    return result.stdout.split()


def run_command(*args):
    return (
        "from cnnblocks.cli import cnnblocks\n"
        f"cnnblocks({list(args)!r}, standalone_mode=False)\n"
        "print()"
    )


@pytest.mark.parametrize(
    "code",
    [
        "import cnnblocks",
        "import cnnblocks; dir(cnnblocks)",
        "import cnnblocks.weights",
        "import cnnblocks.runs",
        "import cnnblocks_tui.app",
    ],
)
def test_importing_stays_light(code):
    assert imported_heavies(code) == []


def test_help_of_every_command_stays_light():
    code = """
import click
from cnnblocks.cli import cnnblocks
def visit(command, info, context=None):
    context = click.Context(command, info_name=info, parent=context)
    command.get_help(context)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            visit(command.get_command(context, name), name, context)
visit(cnnblocks, 'cnnblocks')
"""
    assert imported_heavies(code) == []


def test_every_root_name_resolves():
    code = (
        "import cnnblocks\n"
        "missing = [n for n in cnnblocks.__all__ if not hasattr(cnnblocks, n)]\n"
        "assert not missing, missing"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
