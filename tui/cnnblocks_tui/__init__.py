"""`cnnblocks-tui`: browse the networks, train them, look inside the weights."""


def main() -> None:
    """Run the terminal program."""
    from cnnblocks_tui.command import cnnblocks_tui

    cnnblocks_tui()


__all__ = ["main"]
