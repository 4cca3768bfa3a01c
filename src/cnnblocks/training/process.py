"""Train a run, or go on with it: `python -m cnnblocks.training.process RUN_DIR`."""

import sys

from cnnblocks.errors import CnnblocksError
from cnnblocks.training.run import Run
from cnnblocks.training.shards import dedicate_process


def main() -> None:
    """Train the run directory named on the command line."""
    dedicate_process()
    try:
        Run(sys.argv[1]).resume()
    except CnnblocksError as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
