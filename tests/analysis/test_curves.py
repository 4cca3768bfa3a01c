import pytest
from PIL import Image

from cnnblocks.analysis import AnalysisError, plot_curves


def curves_of(figure):
    """From each panel's title to its curves' labels and values."""
    return {
        axes.get_title(): {line.get_label(): list(line.get_ydata()) for line in axes.lines}
        for axes in figure.axes
    }


def test_accuracy_and_loss_stand_side_by_side_for_training_and_validation(finished_run):
    drawn = curves_of(plot_curves([finished_run(epochs=2)]))
    assert drawn == {
        "Accuracy": {"training": [0.2, 0.4], "validation": [0.19, 0.38]},
        "Loss": {"training": [1.0, 0.5], "validation": [1.1, 0.55]},
    }


def test_overlaid_runs_differ_in_more_than_colour(finished_run):
    runs = [finished_run(epochs=number) for number in (1, 2, 3)]
    figure = plot_curves(runs)
    lines = figure.axes[0].lines
    assert len(lines) == 6
    assert len({(line.get_marker(), line.get_linestyle()) for line in lines}) == 6
    assert {line.get_label().split(",")[0] for line in lines} == {run.id for run in runs}


def test_runs_without_validation_or_epochs_are_drawn_as_far_as_they_go(finished_run):
    figure = plot_curves([finished_run(validated=False), finished_run(epochs=0)])
    assert [line.get_label() for line in figure.axes[0].lines] == ["training"]


def test_no_epoch_at_all_is_an_error(finished_run):
    run = finished_run(epochs=0)
    with pytest.raises(AnalysisError, match=f"{run.id} completed no epoch yet"):
        plot_curves([run])


@pytest.mark.parametrize("name", ["curves.png", "curves.svg", "curves.pdf"])
def test_the_suffix_says_the_format(finished_run, tmp_path, name):
    plot_curves([finished_run()], tmp_path / name, title="Two runs")
    head = (tmp_path / name).read_bytes()[:8]
    assert head.startswith({"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[name[-3:]])
    if name.endswith("png"):
        assert Image.open(tmp_path / name).width > 800


def test_what_cannot_be_written_says_why(finished_run, tmp_path):
    with pytest.raises(AnalysisError, match=r"one of \.svg, \.png, \.pdf"):
        plot_curves([finished_run()], tmp_path / "curves.jpg")
    with pytest.raises(AnalysisError, match="Cannot write"):
        plot_curves([finished_run()], tmp_path / "nowhere" / "curves.png")


def test_pyplot_keeps_no_figure(finished_run):
    from matplotlib import pyplot

    plot_curves([finished_run()])
    assert pyplot.get_fignums() == []
