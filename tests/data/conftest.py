"""Image folders and arrays, made for the tests."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def make_folder(tmp_path):
    """Write a folder of images: `make_folder({"train/cat": 3, "train/dog": 2})`."""

    def make(counts, name="pets", size=(8, 6), mode="RGB", suffix=".png"):
        generator = np.random.default_rng(0)
        root = tmp_path / name
        for place, count in counts.items():
            folder = root / place
            folder.mkdir(parents=True)
            for i in range(count):
                pixels = generator.integers(0, 256, (*size, 3), dtype=np.uint8)
                Image.fromarray(pixels).convert(mode).save(folder / f"{i:03}{suffix}")
        return root

    return make


@pytest.fixture
def write_idx():
    """Write an array as an IDX file, gzipped where the name ends in `.gz`."""

    def write(path: Path, array: np.ndarray):
        header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
        content = header + array.astype(np.uint8).tobytes()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)

    return write


@pytest.fixture
def make_arrays():
    """Make images and labels with every class in equal number."""

    def make(count=40, shape=(8, 8, 3), classes=4, seed=0):
        generator = np.random.default_rng(seed)
        return (
            generator.integers(0, 256, (count, *shape), dtype=np.uint8),
            generator.permutation(np.arange(count) % classes).astype(np.int64),
        )

    return make
