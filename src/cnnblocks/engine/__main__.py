"""``python -m cnnblocks.engine [--backend NAME]``."""

import argparse

from cnnblocks.backend import BACKENDS
from cnnblocks.engine.server import run_engine
from cnnblocks.runs import state_directory


def main() -> None:
    """Parse the arguments and serve."""
    parser = argparse.ArgumentParser(prog="python -m cnnblocks.engine", description=__doc__)
    parser.add_argument("--backend", choices=BACKENDS)
    arguments = parser.parse_args()
    run_engine(arguments.backend, state_directory() / "logs" / "engine.log")


main()
