import csv
import io
import json

import keras
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnblocks.analysis import AnalysisError, compare, differences


def test_the_figures_of_a_run_that_was_tested(finished_run):
    (row,) = compare([finished_run(tested=0.75)]).rows
    assert (row.network, row.parameters, row.multiply_adds) == ("lenet5", 61_706, 416_520)
    assert (row.measured_on, row.accuracy, row.loss) == ("test", 0.75, 0.5)
    assert (row.epochs, row.epoch_seconds, row.seconds) == (3, 4.0, 12.0)
    assert row.images_per_second == 200.0


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ("validation", pytest.approx(0.57), pytest.approx(1.1 / 3))),
        ({"validated": False}, ("training", pytest.approx(0.6), pytest.approx(1 / 3))),
        ({"epochs": 0}, ("", None, None)),
    ],
)
def test_where_a_figure_comes_from_is_said(finished_run, options, expected):
    (row,) = compare([finished_run(**options)]).rows
    assert (row.measured_on, row.accuracy, row.loss) == expected


def test_tables_come_as_text_markdown_csv_and_json(finished_run):
    runs = [finished_run(tested=0.9), finished_run(tested=0.8, network="baseline", epochs=2)]
    found = compare(runs)
    for table in (found.to_text(), found.to_markdown()):
        for part in (runs[0].id, "61,706", "416,520", "0.9000", "0.8000", "baseline"):
            assert part in table
    assert "accuracy and loss on test images" in found.to_text()
    rows = list(csv.DictReader(io.StringIO(found.to_csv())))
    assert [row["accuracy"] for row in rows] == ["0.9", "0.8"]
    written = json.loads(json.dumps(found.to_json()))
    assert written["schema"] == 1
    assert [run["run"] for run in written["runs"]] == [run.id for run in runs]
    assert written["differences"] == {"network": ["lenet5", "baseline"]}


def test_the_picture_shows_accuracy_against_time(finished_run, tmp_path):
    found = compare([finished_run(tested=0.9), finished_run(network="baseline")])
    figure = found.plot(tmp_path / "compare.png")
    assert (tmp_path / "compare.png").stat().st_size > 10_000
    curve = figure.axes[0].lines[0]
    assert list(curve.get_xdata()) == [2.0, 6.0, 12.0]
    assert list(curve.get_ydata()) == [0.19, 0.38, pytest.approx(0.57)]
    names = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert names == ["lenet5", "baseline", "test images"]


def test_a_network_that_is_not_registered_has_no_sizes(finished_run):
    known, unknown = compare([finished_run(), finished_run(network="of_my_own")]).rows
    assert known.parameters == 61_706
    assert (unknown.parameters, unknown.multiply_adds, unknown.epochs) == (None, None, 3)


def test_images_are_channels_last_whatever_keras_is_set_to(finished_run):
    before = keras.config.image_data_format()
    keras.config.set_image_data_format("channels_first")
    try:
        (row,) = compare([finished_run()]).rows
    finally:
        keras.config.set_image_data_format(before)
    assert (row.parameters, row.multiply_adds) == (61_706, 416_520)


def test_nothing_to_draw_is_an_error(finished_run):
    with pytest.raises(AnalysisError, match="no run completed an epoch"):
        compare([finished_run(epochs=0)]).plot()


settings = st.dictionaries(st.sampled_from("abcd"), st.integers(0, 2))
configs = st.lists(
    st.dictionaries(st.sampled_from("xyz"), st.integers(0, 2) | settings.filter(bool)),
    min_size=1,
    max_size=3,
)


@given(configs)
def test_exactly_what_is_not_the_same_everywhere_is_told(found):
    told = differences(found)
    flat = [_flat(config) for config in found]
    for name in {name for config in flat for name in config}:
        values = [config.get(name) for config in flat]
        if all(value == values[0] for value in values):
            assert name not in told
        else:
            assert told[name] == values


def _flat(config):
    flat = {}
    for name, value in config.items():
        flat |= (
            {f"{name}.{k}": v for k, v in value.items()}
            if isinstance(value, dict)
            else {name: value}
        )
    return flat


def test_what_always_differs_is_not_told():
    first = {"id": "a", "created": 1, "versions": {"keras": "3.15"}, "seed": 1}
    second = {"id": "b", "created": 2, "versions": {"keras": "3.16"}, "seed": 1}
    assert differences([first, second]) == {}
