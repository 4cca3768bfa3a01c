"""The way from images of any size and mode to what a network takes."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from PIL import Image, ImageOps

from cnnblocks.data.errors import DataError
from cnnblocks.data.images import as_array, as_picture, open_picture

if TYPE_CHECKING:
    from cnnblocks.data.dataset import Split

Resize = Literal["stretch", "pad", "crop"]
Scaling = Literal["0..1", "-1..1", "raw", "standardize"]
DataFormat = Literal["channels_last", "channels_first"]
AnyImage = np.ndarray | Image.Image | str | Path

_BILINEAR = Image.Resampling.BILINEAR
_RESIZERS: dict[str, Callable[[Image.Image, tuple[int, int]], Image.Image]] = {
    "stretch": lambda image, size: image.resize(size, _BILINEAR),
    "pad": lambda image, size: ImageOps.pad(image, size, _BILINEAR),
    "crop": lambda image, size: ImageOps.fit(image, size, _BILINEAR),
}
_SAMPLE = 10_000
_CHUNK = 1024


@dataclass(frozen=True)
class Preprocessing:
    """How an image becomes a network's input; the same in training, evaluation and prediction.

    It is plain data: `to_dict` gives what belongs beside a model's weights.

    Args:
        input_shape: `(height, width, channels)` of the network's input, in this order whatever
            `data_format` says; channels are 1 or 3.
        resize: `"stretch"` to the size without regard to proportions, `"pad"` to fit whole with
            black borders, or `"crop"` to fill the size and cut the rest. All bilinear.
        scaling: `"0..1"`, `"-1..1"`, `"raw"` (0 to 255), or `"standardize"` (each channel less
            `mean`, divided by `std`).
        mean: Per channel, on the scale 0 to 1; filled in by `fit`.
        std: Per channel, on the scale 0 to 1; filled in by `fit`.
        data_format: `"channels_last"` or `"channels_first"`, of the result.

    Raises:
        DataError: An argument is none of the above.

    Example:

        >>> preprocessing = Preprocessing((32, 32, 3))
        >>> preprocessing(Image.new("L", (640, 480))).shape
        (1, 32, 32, 3)
    """

    input_shape: tuple[int, int, int]
    resize: Resize = "stretch"
    scaling: Scaling = "0..1"
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    data_format: DataFormat = "channels_last"

    def __post_init__(self) -> None:
        _check_shape(self.input_shape)
        _check_choice("resize", self.resize, get_args(Resize))
        _check_choice("scaling", self.scaling, get_args(Scaling))
        _check_choice("data_format", self.data_format, get_args(DataFormat))
        for name in ("mean", "std"):
            values = getattr(self, name)
            if values is not None and len(values) != self.input_shape[2]:
                raise DataError(
                    f"{name} needs one number for each of the {self.input_shape[2]} channels. "
                    f"Received: {name}={values}"
                )

    def __call__(self, images: AnyImage | Sequence[AnyImage]) -> np.ndarray:
        """Prepare one image or many.

        Args:
            images: A Pillow image, a path, a `uint8` array `(height, width, channels)` or
                `(height, width)`, a batch of such, or a sequence of any of these.

        Returns:
            `float32` array, shape `(images, height, width, channels)`, or with the channels
            before the height under `"channels_first"`.

        Raises:
            DataError: A file cannot be read, or an array is no `uint8` image.
        """
        return self.scale(self.fit_size(images))

    def fit_size(self, images: AnyImage | Sequence[AnyImage]) -> np.ndarray:
        """Bring images to the network's size and channels, still `uint8` and channels last.

        Args:
            images: As for calling.

        Returns:
            `uint8` array, shape `(images, height, width, channels)`.
        """
        if isinstance(images, np.ndarray) and images.ndim == 4:
            if images.shape[1:] == self.input_shape and images.dtype == np.uint8:
                return images
            images = list(images)
        if isinstance(images, AnyImage):
            images = [images]
        result = np.empty((len(images), *self.input_shape), np.uint8)
        for row, image in zip(result, images):
            row[...] = self._fit_one(image)
        return result

    def scale(self, images: np.ndarray) -> np.ndarray:
        """Scale images of the network's size.

        Args:
            images: `uint8`, shape `(images, height, width, channels)`.

        Returns:
            `float32`, in `data_format`.

        Raises:
            DataError: `scaling="standardize"` has no mean and deviation yet.
        """
        factor, offset = self._affine
        scaled = images.reshape(len(images), factor.size) * factor
        if offset is not None:
            scaled += offset
        scaled = scaled.reshape(len(images), *self.input_shape)
        if self.data_format == "channels_first":
            scaled = np.ascontiguousarray(scaled.transpose(0, 3, 1, 2))
        return scaled

    def affine(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the factor and the offset that scale a pixel value of 0 to 255.

        Returns:
            Two `float64` arrays, of shape `(channels,)` or, where all channels are alike, `()`.

        Raises:
            DataError: `scaling="standardize"` has no mean and deviation yet.

        Example:

            >>> [float(value) for value in Preprocessing((8, 8, 1), scaling="raw").affine()]
            [1.0, 0.0]
        """
        if self.scaling == "standardize":
            if self.mean is None or self.std is None:
                raise DataError(
                    'scaling="standardize" needs the mean and deviation of the training images. '
                    "Call fit(split) first, or give mean and std."
                )
            std = np.array(self.std)
            return 1 / (255 * std), -np.array(self.mean) / std
        factor, offset = {"0..1": (1 / 255, 0), "-1..1": (1 / 127.5, -1), "raw": (1, 0)}[
            self.scaling
        ]
        return np.array(factor, np.float64), np.array(offset, np.float64)

    def fit(self, split: "Split") -> "Preprocessing":
        """Return this with the mean and deviation of a split's pixels where it needs them.

        Of images that are not in memory, 10,000 spread over the split are measured.

        Args:
            split: The training images.

        Returns:
            A new object, or this one if `scaling` is not `"standardize"` or it is fitted already.
        """
        if self.scaling != "standardize" or self.mean is not None:
            return self
        counts = np.zeros((self.input_shape[2], 256))
        for indices in _chunks(len(split), len(split) if split.in_memory else _SAMPLE):
            images = split.read(indices, self)
            for channel, count in enumerate(counts):
                count += np.bincount(images[..., channel].ravel(), minlength=256)
        levels, shares = np.arange(256) / 255, counts / counts.sum(axis=1, keepdims=True)
        mean = shares @ levels
        std = np.sqrt(np.maximum(shares @ levels**2 - mean**2, 0))
        std[std < 1e-3] = 1.0  # a channel of one colour stays finite
        return replace(self, mean=tuple(mean.tolist()), std=tuple(std.tolist()))

    def to_dict(self) -> dict[str, Any]:
        """Return this as plain data that JSON can hold.

        Example:

            >>> Preprocessing((8, 8, 1)).to_dict()["scaling"]
            '0..1'
        """
        return {"schema": 1, **asdict(self)}

    @classmethod
    def from_dict(cls, config: dict[str, Any]) -> "Preprocessing":
        """Make the object that `to_dict` described.

        Raises:
            DataError: The dictionary is of a newer version, or holds something unknown.
        """
        config = dict(config)
        if config.pop("schema", 1) != 1:
            raise DataError("This preprocessing was saved by a newer cnnblocks; update to read it.")
        for name in ("input_shape", "mean", "std"):
            if config.get(name) is not None:
                config[name] = tuple(config[name])
        try:
            return cls(**config)
        except TypeError as error:
            raise DataError(f"This is no preprocessing that cnnblocks saved: {error}") from error

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the network's input."""
        return self.input_shape[:2]

    @cached_property
    def _affine(self) -> tuple[np.ndarray, np.ndarray | None]:
        """Factor and offset of every pixel; at full length, since short inner loops are slow."""
        height, width, channels = self.input_shape
        factor, offset = self.affine()
        tiled = (np.tile(np.broadcast_to(v, channels), height * width) for v in (factor, offset))
        factors, offsets = (values.astype(np.float32) for values in tiled)
        return factors, offsets if offsets.any() else None

    def _fit_one(self, image: AnyImage) -> np.ndarray:
        picture = _picture(image, self.size)
        mode = "L" if self.input_shape[2] == 1 else "RGB"
        if picture.mode != mode:
            picture = picture.convert(mode)
        if picture.size != self.size[::-1]:
            picture = _RESIZERS[self.resize](picture, self.size[::-1])
        return as_array(picture)


def _picture(image: AnyImage, at_least: tuple[int, int]) -> Image.Image:
    if isinstance(image, (str, Path)):
        return open_picture(image, at_least)
    if isinstance(image, Image.Image):
        return as_picture(image)
    pixels = np.asarray(image)
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    if pixels.dtype != np.uint8 or (pixels.ndim != 2 and pixels.shape[2:] != (3,)):
        raise DataError(
            "An image is a uint8 array of shape (height, width), (height, width, 1) or "
            f"(height, width, 3). Received: {image.dtype} of shape {image.shape}"
        )
    return Image.fromarray(pixels)


def _chunks(length: int, wanted: int) -> Iterable[np.ndarray]:
    indices = np.linspace(0, length - 1, min(length, wanted)).astype(np.int64)
    return (indices[i : i + _CHUNK] for i in range(0, len(indices), _CHUNK))


def _check_shape(shape: tuple[int, int, int]) -> None:
    sound = len(shape) == 3 and all(isinstance(n, int) and n > 0 for n in shape)
    if not sound or shape[2] not in (1, 3):
        raise DataError(
            "input_shape must be (height, width, channels) with 1 or 3 channels. "
            f"Received: input_shape={shape}"
        )


def _check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise DataError(f"{name} must be one of {', '.join(choices)}. Received: {name}={value!r}")
