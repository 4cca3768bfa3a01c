"""What the fields of a new run take, and what they refuse while it is typed."""

import pytest

from cnnblocks_tui.fields import FieldError, Kind
from cnnblocks_tui.screens.new_run import RECIPE, SETTINGS

KINDS = {name: Kind(name, start) for name, start in (SETTINGS | RECIPE).items()}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("learning_rate", "0"),
        ("learning_rate", "inf"),
        ("validation_split", "0"),
        ("clip_norm", "0"),
        ("ema", "0"),
        ("ema", "1"),
        ("weight_decay", "nan"),
        ("head_bias", "high"),
        ("augmentation", "**{'shift': 2}"),
        ("augmentation", "2"),
        ("weights", "/nowhere/at.all"),
        ("weights", "~nobody-of-that-name/weights.h5"),
    ],
)
def test_what_cannot_be_is_refused(name, text):
    with pytest.raises(FieldError):
        KINDS[name].read(text)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("learning_rate", 0.00123456789),
        ("learning_rate", 1e-7),
        ("validation_split", 0.1),
        ("clip_norm", None),
        ("ema", 0.999),
        ("warmup", 0.0),
        ("head_bias", -2.0),
        ("weights", None),
        ("kernel_initializer", None),
        ("kernel_initializer", "lsuv"),
        ("augmentation", {"shift": 2, "flip": True, "border": "reflect"}),
    ],
)
def test_a_value_comes_back_from_its_text(name, value):
    assert KINDS[name].read(KINDS[name].write(value)) == value


def test_a_file_of_weights_is_there(tmp_path):
    (tmp_path / "w.h5").touch()
    assert KINDS["weights"].read(str(tmp_path / "w.h5")) == str(tmp_path / "w.h5")
