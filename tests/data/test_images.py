"""Image files of every mode become uint8 with one or three channels."""

import os
import struct
import sys
import zlib

import numpy as np
import pytest
from PIL import Image

from cnnblocks import data
from cnnblocks.data.images import as_array, as_picture, image_shape, open_picture

MODES = {
    "1": 1, "L": 1, "LA": 1, "P": 3, "PA": 3, "RGB": 3, "RGBA": 3, "CMYK": 3, "YCbCr": 3,
    "HSV": 3, "LAB": 3, "I": 1, "I;16": 1,
}  # fmt: skip


@pytest.mark.parametrize("mode", MODES)
def test_every_mode(mode):
    image = Image.new("L", (5, 7)).convert(mode) if "I" in mode else Image.new(mode, (5, 7))
    pixels = as_array(as_picture(image))
    assert pixels.shape == (7, 5, MODES[mode])
    assert pixels.dtype == np.uint8


def test_transparency_is_laid_on_white(tmp_path):
    image = Image.new("RGBA", (2, 1), (10, 20, 30, 255))
    image.putpixel((1, 0), (10, 20, 30, 0))
    image.save(tmp_path / "a.png")
    assert data.read_image(tmp_path / "a.png").tolist() == [[[10, 20, 30], [255, 255, 255]]]


def test_transparent_palette(tmp_path):
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 255, 0])
    image.putpixel((1, 0), 1)
    image.save(tmp_path / "a.gif", transparency=1)
    assert data.read_image(tmp_path / "a.gif").tolist() == [[[255, 0, 0], [255, 255, 255]]]


def test_sixteen_bits(tmp_path):
    Image.fromarray(np.array([[0, 256, 65535]], np.uint16)).save(tmp_path / "a.png")
    assert data.read_image(tmp_path / "a.png")[..., 0].tolist() == [[0, 1, 255]]


def test_camera_orientation(tmp_path):
    image = Image.new("RGB", (4, 2))
    exif = Image.Exif()
    exif[0x0112] = 6  # turned a quarter
    image.save(tmp_path / "a.jpg", exif=exif)
    assert data.read_image(tmp_path / "a.jpg").shape == (4, 2, 3)
    assert image_shape(tmp_path / "a.jpg") == (4, 2, 3)


def test_floating_point_is_refused(tmp_path):
    Image.new("F", (3, 3)).save(tmp_path / "a.tiff")
    with pytest.raises(data.DataError, match=r"a\.tiff has floating-point pixels"):
        data.read_image(tmp_path / "a.tiff")


def test_animation_gives_the_first_frame(tmp_path):
    frames = [Image.new("RGB", (3, 3), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert data.read_image(tmp_path / "a.gif")[0, 0].tolist() == [255, 0, 0]


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("side", [10_000, 60_000])
def test_decompression_bombs(tmp_path, side):
    def chunk(kind, content):
        return (
            struct.pack(">I", len(content)) + kind + content
            + struct.pack(">I", zlib.crc32(kind + content))
        )  # fmt: skip

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0))
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", b""))
    with pytest.raises(data.DataError, match=r"a\.png .*decompression bomb"):
        data.read_image(tmp_path / "a.png")


def test_what_is_no_image(tmp_path):
    with pytest.raises(data.DataError, match="There is no image file"):
        data.read_image(tmp_path / "a.png")
    (tmp_path / "a.png").write_text("hello")
    with pytest.raises(data.DataError, match=r"a\.png is not an image"):
        data.read_image(tmp_path / "a.png")
    with pytest.raises(data.DataError, match=r"corrupt|cannot|permission|Permission"):
        data.read_image(tmp_path)


@pytest.mark.filterwarnings("ignore:Truncated File Read")
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".gif", ".bmp", ".tiff", ".webp", ".ppm"])
def test_files_cut_anywhere_never_raise_anything_else(tmp_path, suffix):
    generator = np.random.default_rng(0)
    path = tmp_path / f"a{suffix}"
    Image.fromarray(generator.integers(0, 256, (16, 16, 3), dtype=np.uint8)).save(path)
    content = path.read_bytes()
    for length in generator.integers(0, len(content), 12):
        path.write_bytes(content[:length])
        try:
            assert data.read_image(path).shape == (16, 16, 3)
        except data.DataError as error:
            assert str(path) in str(error)


def test_a_large_jpeg_is_decoded_smaller_but_never_too_small(tmp_path):
    Image.new("RGB", (1600, 800), "red").save(tmp_path / "a.jpg")
    assert data.read_image(tmp_path / "a.jpg").shape == (800, 1600, 3)
    assert 200 <= open_picture(tmp_path / "a.jpg", at_least=(100, 100)).height < 800
    assert open_picture(tmp_path / "a.jpg", at_least=(300, 300)).height == 800


@pytest.mark.skipif(sys.platform != "linux", reason="file names are bytes on Linux alone")
def test_names_that_are_not_utf8(tmp_path):
    for label in ("a", "b"):
        folder = tmp_path / "train" / label
        folder.mkdir(parents=True)
        for number in range(4):
            name = os.fsdecode(b"\xe4%d.png" % number)
            Image.new("L", (8, 8)).save(folder / name)
    assert len(data.load(tmp_path, validation="none").train.fingerprint()) > 8
