"""Quantiles without sorting a whole tensor: from an even sample, or exact in bounded memory."""

import math

import numpy as np

from cnnblocks.weights.passes import floating, slab_bytes
from cnnblocks.weights.table import Tensor

QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
_SAMPLE = 1 << 14
_DIGIT = 16


class Sample:
    """Values of a tensor at even distances; all of them if there are few.

    The distance has no factor in common with the size of a row, so that every channel is met. With
    16,384 values the rank of a quantile has a standard error of 0.4 percent or less.

    Args:
        size: how many values the tensor has.
        row: how many values one step along its first axis spans.
    """

    def __init__(self, size: int, row: int) -> None:
        self._step = max(1, math.ceil(size / _SAMPLE))
        while self._step > 1 and math.gcd(self._step, max(row, 1)) > 1:
            self._step += 1
        self._values: list[np.ndarray] = []

    @property
    def complete(self) -> bool:
        """Whether the sample is the whole tensor."""
        return self._step == 1

    def add(self, values: np.ndarray, start: int) -> None:
        """Take what falls into a slab that begins `start` values into the tensor."""
        self._values.append(values[-start % self._step :: self._step].copy())

    def quantiles(self) -> dict[float, float]:
        """Return the quantiles of the finite values of the sample, NaN if there are none."""
        values = np.concatenate(self._values) if self._values else np.empty(0)
        values = np.sort(values[np.isfinite(values)]).astype(np.float64)
        if not values.size:
            return dict.fromkeys(QUANTILES, math.nan)
        places = np.array(QUANTILES) * (values.size - 1)
        found = np.interp(places, np.arange(values.size), values)
        return dict(zip(QUANTILES, found.tolist()))


def exact_quantiles(tensor: Tensor, below: int, count: int) -> dict[float, float]:
    """Return the quantiles of the finite values of a tensor, exactly.

    Floating-point numbers sort like their bits, so the value of a rank is found 16 bits a pass, by
    counting.

    Args:
        tensor: the tensor.
        below: how many values are minus infinity.
        count: how many are finite.
    """
    if not count:
        return dict.fromkeys(QUANTILES, math.nan)
    places = {q: q * (count - 1) for q in QUANTILES}
    ranks = {rank for place in places.values() for rank in (math.floor(place), math.ceil(place))}
    values = dict(zip(sorted(ranks), _of_ranks(tensor, [below + rank for rank in sorted(ranks)])))
    found = {}
    for q, place in places.items():
        low, high = values[math.floor(place)], values[math.ceil(place)]
        found[q] = low + (high - low) * (place - math.floor(place))
    return found


def _of_ranks(tensor: Tensor, ranks: list[int]) -> list[float]:
    """Return the values at some ranks among all values that are not NaN."""
    bits = 32 if tensor.dtype in ("bfloat16", "float16", "float32") else 64
    prefixes = [0] * len(ranks)
    left = list(ranks)
    for shift in range(bits - _DIGIT, -1, -_DIGIT):
        counts = _count_digits(tensor, bits, shift, set(prefixes))
        for number, prefix in enumerate(prefixes):
            sums = np.cumsum(counts[prefix])
            digit = int(np.searchsorted(sums, left[number], side="right"))
            left[number] -= int(sums[digit - 1]) if digit else 0
            prefixes[number] = prefix << _DIGIT | digit
    return [_value(key, bits) for key in prefixes]


def _count_digits(
    tensor: Tensor, bits: int, shift: int, prefixes: set[int]
) -> dict[int, np.ndarray]:
    """Count the next 16 bits of all values whose bits above are one of `prefixes`."""
    counts = {prefix: np.zeros(1 << _DIGIT, np.int64) for prefix in prefixes}
    unsigned = np.uint64 if bits == 64 else np.uint32
    for slab in tensor.slabs(slab_bytes(tensor)):
        keys = _keys(slab, bits)
        digits = (keys >> unsigned(shift)).astype(np.uint16)
        if shift + _DIGIT == bits:
            counts[0] += np.bincount(digits, minlength=1 << _DIGIT)
            continue
        above = keys >> unsigned(shift + _DIGIT)
        for prefix, count in counts.items():
            chosen = digits[above == unsigned(prefix)]
            count += np.bincount(chosen, minlength=1 << _DIGIT)
    return counts


def _keys(slab: np.ndarray, bits: int) -> np.ndarray:
    """Return unsigned integers that sort as the values do; NaN is left out."""
    values = floating(slab).astype(np.float64 if bits == 64 else np.float32, copy=False)
    values = values[~np.isnan(values)]
    raw = values.view(np.uint64 if bits == 64 else np.uint32)
    sign = raw.dtype.type(1 << (bits - 1))
    return np.where(raw & sign, ~raw, raw | sign)


def _value(key: int, bits: int) -> float:
    sign = 1 << (bits - 1)
    raw = key ^ sign if key & sign else key ^ ((1 << bits) - 1)
    return float(np.array(raw, np.uint64 if bits == 64 else np.uint32).view(f"f{bits // 8}"))
