"""Small random changes to training images."""

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import numpy as np

from cnnblocks.data.errors import DataError

Border = Literal["constant", "edge", "reflect"]


@dataclass(frozen=True)
class Draw:
    """What chance decided for each image of a batch.

    Args:
        shifts: Rows and columns to shift by, shape `(images, 2)`.
        flips: Whether to mirror, shape `(images,)`.
        holes: Centre of the square to blank, shape `(images, 2)`.
    """

    shifts: np.ndarray
    flips: np.ndarray
    holes: np.ndarray

    def __getitem__(self, rows: slice) -> "Draw":
        """Return what was decided for some of the images."""
        return Draw(self.shifts[rows], self.flips[rows], self.holes[rows])


@dataclass(frozen=True)
class Augmentation:
    """Which random changes to make; the same for the same random generator.

    Args:
        shift: Largest shift in pixels, in each direction; the same as padding by so much on every
            side and cropping at random.
        flip: Mirror left and right with probability one half.
        cutout: Side in pixels of a square to blank, at a random place (partly outside, at the
            edges); 0 for none.
        border: What comes in from outside when shifting: `"constant"` (`fill`), `"edge"` or
            `"reflect"`.
        fill: Pixel value, 0 to 255, for constant borders and for the blanked square.

    Raises:
        DataError: An argument is out of range.

    Example:

        >>> images = np.zeros((4, 32, 32, 3), np.uint8)
        >>> Augmentation(shift=4, flip=True)(images, np.random.default_rng(0)).shape
        (4, 32, 32, 3)
    """

    shift: int = 0
    flip: bool = False
    cutout: int = 0
    border: Border = "constant"
    fill: int = 0

    def __post_init__(self) -> None:
        for name, largest in (("shift", None), ("cutout", None), ("fill", 255)):
            value = getattr(self, name)
            if value < 0 or (largest is not None and value > largest):
                upper = f" to {largest}" if largest else " or more"
                raise DataError(f"{name} must be 0{upper}. Received: {name}={value}")
        if not isinstance(self.flip, bool):
            raise DataError(f"flip must be true or false. Received: flip={self.flip!r}")
        if self.border not in get_args(Border):
            raise DataError(
                f"border must be one of {', '.join(get_args(Border))}. "
                f"Received: border={self.border!r}"
            )

    def __bool__(self) -> bool:
        """Whether anything is changed at all."""
        return bool(self.shift or self.flip or self.cutout)

    def __call__(self, images: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """Change a batch of images.

        Args:
            images: `uint8`, shape `(images, height, width, channels)`; left as it is.
            generator: Where chance comes from.

        Returns:
            A new array of the same shape and dtype.
        """
        return self.apply(images, self.draw(len(images), images.shape[1:3], generator))

    def draw(self, count: int, size: tuple[int, int], generator: np.random.Generator) -> Draw:
        """Let chance decide for `count` images of `size`, without touching any."""
        return Draw(
            shifts=generator.integers(-self.shift, self.shift, (count, 2), endpoint=True),
            flips=generator.random(count) < 0.5,
            holes=generator.integers(0, size, (count, 2)),
        )

    def apply(self, images: np.ndarray, draw: Draw) -> np.ndarray:
        """Make the changes that `draw` decided.

        Args:
            images: `uint8`, shape `(images, height, width, channels)`; left as it is.
            draw: From the method `draw`, for as many images.

        Returns:
            A new array of the same shape and dtype.
        """
        result = self._shifted(images, draw.shifts) if self.shift else images.copy()
        if self.flip:
            self._mirror(result, draw.flips)
        if self.cutout:
            self._cut(result, draw.holes)
        return result

    def to_dict(self) -> dict[str, Any]:
        """Return this as plain data that JSON can hold."""
        return {"schema": 1, **asdict(self)}

    @classmethod
    def from_dict(cls, config: dict[str, Any]) -> "Augmentation":
        """Make the object that `to_dict` described.

        Raises:
            DataError: The dictionary is of a newer version, or holds something unknown.
        """
        config = dict(config)
        if config.pop("schema", 1) != 1:
            raise DataError("This augmentation was saved by a newer cnnblocks; update to read it.")
        try:
            return cls(**config)
        except TypeError as error:
            raise DataError(f"This is no augmentation that cnnblocks knows: {error}") from error

    def _shifted(self, images: np.ndarray, shifts: np.ndarray) -> np.ndarray:
        height, width = images.shape[1:3]
        padded = self._padded(images)
        result = np.empty_like(images, order="C")
        # Copying a window an image is several times faster than one gather over the batch.
        for target, source, (y, x) in zip(result, padded, (shifts + self.shift).tolist()):
            target[...] = source[y : y + height, x : x + width]
        return result

    def _padded(self, images: np.ndarray) -> np.ndarray:
        s = self.shift
        if self.border != "constant":
            return np.pad(images, ((0, 0), (s, s), (s, s), (0, 0)), mode=self.border)
        count, height, width, channels = images.shape
        # np.pad does this in four times as long.
        padded = np.full((count, height + 2 * s, width + 2 * s, channels), self.fill, np.uint8)
        padded[:, s:-s, s:-s] = images
        return padded

    def _mirror(self, images: np.ndarray, chosen: np.ndarray) -> None:
        # As whole pixels, which takes half as long as their channels one by one.
        pixels = images.view(f"V{images.shape[-1]}")
        pixels[chosen] = pixels[chosen][:, :, ::-1]

    def _cut(self, images: np.ndarray, holes: np.ndarray) -> None:
        starts = holes - self.cutout // 2
        for image, (y, x) in zip(images, starts.tolist()):
            image[max(0, y) : y + self.cutout, max(0, x) : x + self.cutout] = self.fill
