"""Slices such as `[:, :, 0, 3]`, read without evaluating anything."""

import re
from types import EllipsisType

from cnnblocks.errors import CnnblocksError

Item = int | slice | EllipsisType

_INTEGER = re.compile(r"[+-]?\d{1,18}")


class SliceError(CnnblocksError, ValueError):
    """A slice that is none, or that does not fit its tensor."""


def parse(expression: str) -> tuple[Item, ...]:
    """Read a slice of integers, `start:stop:step` and `...`, with or without its brackets.

    Args:
        expression: the slice, as NumPy writes it.

    Raises:
        SliceError: it is not one.

    Example:

        >>> parse("[:, -1, ::2]")
        (slice(None, None, None), -1, slice(None, None, 2))
    """
    text = expression.strip()
    if text.startswith("[") != text.endswith("]"):
        raise SliceError(_not_a_slice(expression))
    text = text.removeprefix("[").removesuffix("]").strip()
    parts = text.removesuffix(",").split(",") if text else []
    items = tuple(_item(part.strip(), expression) for part in parts)
    if sum(item is Ellipsis for item in items) > 1:
        raise SliceError(f"A slice can have one '...' only. Received: {expression!r}")
    return items


def _item(text: str, expression: str) -> Item:
    if text == "...":
        return Ellipsis
    bounds = [part.strip() for part in text.split(":")]
    if len(bounds) > 3 or any(part and not _INTEGER.fullmatch(part) for part in bounds):
        raise SliceError(_not_a_slice(expression))
    numbers = [int(part) if part else None for part in bounds]
    if len(numbers) == 1:
        if numbers[0] is None:
            raise SliceError(_not_a_slice(expression))
        return numbers[0]
    if numbers[2:] == [0]:
        raise SliceError(f"The step of a slice cannot be 0. Received: {expression!r}")
    return slice(*numbers)


def _not_a_slice(expression: str) -> str:
    return f"Expected a slice such as '[:, :, 0, 3]' or '[..., ::2]'. Received: {expression!r}"


def normalize(items: tuple[Item, ...], shape: tuple[int, ...]) -> tuple[int | slice, ...]:
    """Return one integer (not negative) or slice for every axis of `shape`.

    Args:
        items: what `parse` returned.
        shape: the tensor's shape.

    Raises:
        SliceError: too many items, or an index out of range.
    """
    given = sum(item is not Ellipsis for item in items)
    if given > len(shape):
        raise SliceError(
            f"The slice has {given} axes, the tensor has {len(shape)}: its shape is {shape}."
        )
    if Ellipsis not in items:
        items = (*items, Ellipsis)
    hole = items.index(Ellipsis)
    filled = (*items[:hole], *[slice(None)] * (len(shape) - given), *items[hole + 1 :])
    return tuple(_fit(item, axis, shape) for axis, item in enumerate(filled))


def _fit(item: Item, axis: int, shape: tuple[int, ...]) -> int | slice:
    if isinstance(item, int):
        if not -shape[axis] <= item < shape[axis]:
            raise SliceError(
                f"Index {item} is out of range for axis {axis}, which has {shape[axis]} values: "
                f"the shape is {shape}."
            )
        return item % shape[axis]
    assert isinstance(item, slice)
    return item
