"""A click group that imports a command's module only when the command is used."""

from difflib import get_close_matches
from importlib import import_module

import click


class LazyGroup(click.Group):
    """A group whose commands are named as `"module:attribute"` and imported on first use.

    Args:
        lazy_commands: From a command's name to where it is.
    """

    def __init__(self, *args, lazy_commands: dict[str, str], **kwargs):
        super().__init__(*args, **kwargs)
        self.lazy_commands = lazy_commands

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.lazy_commands)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.lazy_commands:
            return None
        module, attribute = self.lazy_commands[cmd_name].split(":")
        return getattr(import_module(module), attribute)

    def resolve_command(self, ctx, args):
        close = get_close_matches(args[0], self.lazy_commands, n=1, cutoff=0.5)
        if args[0] not in self.lazy_commands and close:
            ctx.fail(f"No such command {args[0]!r}. Did you mean {close[0]!r}?")
        return super().resolve_command(ctx, args)
