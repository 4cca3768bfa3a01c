"""Mutates weight files and reads each mutant: `python fuzz_worker.py SEED FIRST COUNT FILE...`.

A mutant may be read, or be refused with a `WeightFileError` of one line. Anything else ends the
process; the last line it printed names the mutant. Memory and the time for each are limited.
"""

import faulthandler
import os
import sys
import tempfile
from pathlib import Path

os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np

from cnnblocks import weights

MEGABYTE = 1 << 20
SECONDS = 20
EDGES = (0, 1, 0x7F, 0x80, 0xFF)


def mutate(data: bytes, rng: np.random.Generator) -> bytes:
    """Damage some bytes, as a bad disk, a cut copy or an ill will would."""
    kind = rng.integers(6)
    if kind == 0:
        return data[: rng.integers(1, len(data))]
    changed = bytearray(data)
    for _ in range(rng.integers(1, 5)):
        # Some of the damage goes to the first bytes, where the structure lies.
        end = len(data) if rng.random() < 0.8 else min(len(data), 2048)
        place = int(rng.integers(end))
        if kind == 1:
            changed[place] ^= 1 << int(rng.integers(8))
        elif kind == 2:
            changed[place] = int(rng.choice(EDGES))
        elif kind == 3:
            width = int(rng.choice((2, 4, 8)))
            value = int(rng.integers(0, 1 << 62)) >> int(rng.integers(62))
            changed[place : place + width] = (value % (1 << 8 * width)).to_bytes(width, "little")
        elif kind == 4:
            length = int(rng.integers(1, 64))
            other = int(rng.integers(len(data)))
            changed[place : place + length] = data[other : other + length]
        else:
            length = int(rng.integers(1, 256))
            changed[place : place + length] = bytes(length)
    return bytes(changed)


def read(path: Path) -> str:
    """Read everything in a file; return what came of it."""
    try:
        with weights.open(path) as table:
            table.to_json()
            rows = weights.statistics(table.tensors)
            weights.diff(table, table)
            for tensor in table.tensors[:3]:
                if tensor.size:
                    tensor.read_slice("...")
        return f"read {len(rows)}"
    except weights.WeightFileError as error:
        assert len(str(error).splitlines()) == 1, error
        return f"refused {str(error).partition(': ')[2]}"


def limit_memory() -> None:
    """Let the process take half a gigabyte more than it has, all threads' stacks included."""
    if sys.platform != "linux":
        return
    import resource

    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + 512 * MEGABYTE
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def main() -> None:
    seed, first, count = map(int, sys.argv[1:4])
    originals = [Path(name) for name in sys.argv[4:]]
    for path in originals:
        assert read(path).startswith("read"), read(path)
    limit_memory()
    with tempfile.TemporaryDirectory() as directory:
        for number in range(first, first + count):
            original = originals[number % len(originals)]
            rng = np.random.default_rng([seed, number])
            mutant = Path(directory) / original.name
            mutant.write_bytes(mutate(original.read_bytes(), rng))
            faulthandler.dump_traceback_later(SECONDS, exit=True)
            print(number, original.name, end=" ", flush=True)
            print(read(mutant), flush=True)
            faulthandler.cancel_dump_traceback_later()
            mutant.unlink()


if __name__ == "__main__":
    main()
