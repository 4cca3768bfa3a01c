"""The weights screen, over real files."""

import asyncio
import shutil
import threading

import h5py
import numpy as np
import pytest
from textual.widgets import Static, TabbedContent, Tree

from cnnblocks import weights
from cnnblocks_tui import weight_reading
from cnnblocks_tui.screens.diff import DiffScreen
from cnnblocks_tui.weight_reading import read_plane, reading_of
from cnnblocks_tui.weight_wording import branching, outline_parts, tensor_matches
from cnnblocks_tui.widgets.chart import Chart


@pytest.fixture
def file(tmp_path):
    """A Keras 3 file with two convolutions, a Dense layer and a frozen-looking BN."""
    path = tmp_path / "model.weights.h5"
    random = np.random.default_rng(0)
    layers = {
        "conv2d": [random.normal(size=(3, 3, 3, 8)), np.zeros(8)],
        "conv2d_1": [random.normal(size=(3, 3, 8, 16)), np.full(16, np.nan)],
        "dense": [random.normal(size=(64, 10)), np.zeros(10)],
    }
    with h5py.File(path, "w") as file:
        for name, values in layers.items():
            for index, value in enumerate(values):
                file[f"layers/{name}/vars/{index}"] = value.astype("float32")
            file[f"layers/{name}"].attrs["name"] = name
    return path


def tab(app):
    return app.screen.query_one(TabbedContent).active


async def test_the_tree_shows_layers_roles_shapes_and_bytes(open_app, wait_for, file):
    async with open_app(target=file) as (_, pilot):
        await wait_for(pilot, "kernel 3×3×3×8 864 B")
        await wait_for(pilot, "6 tensors")
        await wait_for(pilot, "height 3, width 3, in 3, out 8")


async def test_numbers_and_histogram_of_the_chosen_tensor(open_app, wait_for, file):
    with h5py.File(file) as opened:
        values = opened["layers/conv2d/vars/0"][()]
    async with open_app((100, 30), target=file) as (app, pilot):
        await wait_for(pilot, f"{values.mean():.4f}")
        await wait_for(pilot, f"{values.max():.4f}")
        chart = app.screen.query_one("#histogram", Chart)
        await wait_for(pilot, lambda: len(chart._series) == 1)
        assert chart._series[0].y.sum() == pytest.approx(1.0)


async def test_nan_values_are_named(open_app, wait_for, file, press_text):
    async with open_app((100, 30), target=file) as (_, pilot):
        await wait_for(pilot, "kernel 3×3×3×8")
        await pilot.press("slash")
        await press_text(pilot, "conv2d_1 bias")
        await pilot.press("enter")
        await wait_for(pilot, "16 NaN")


async def test_values_read_under_the_cursor_and_slices_are_taken(
    open_app, wait_for, file, press_text
):
    with h5py.File(file) as opened:
        values = opened["layers/conv2d/vars/0"][()]
    async with open_app((100, 30), target=file) as (app, pilot):
        await wait_for(pilot, "kernel 3×3×3×8")
        await pilot.press("right_square_bracket")
        await wait_for(pilot, "[:, 0, 0, :] height × out")
        app.screen.query_one("#values").focus()
        await pilot.press("right", "down")
        await wait_for(pilot, f"[1, 1] = {values[1, 0, 0, 1]:.6g}")
        await pilot.press("x")
        await wait_for(pilot, "Slice of")
        app.screen.query_one("#answer").value = ""
        await press_text(pilot, "[2,1,:,:]")
        await pilot.press("enter")
        await wait_for(pilot, "in × out")
        await wait_for(pilot, f"[1, 1] = {values[2, 1, 1, 1]:.6g}")


async def test_a_slice_that_does_not_fit_is_explained(open_app, wait_for, file):
    async with open_app((100, 30), target=file) as (app, pilot):
        await wait_for(pilot, "kernel 3×3×3×8")
        await pilot.press("x")
        await wait_for(pilot, "Slice of")
        app.screen.query_one("#answer").value = "[9, 0]"
        await pilot.press("enter")
        await wait_for(pilot, "Index 9 is out of range")


async def test_an_empty_slice_is_a_sentence_and_has_no_cursor(open_app, wait_for, file):
    async with open_app((100, 30), target=file) as (app, pilot):
        await wait_for(pilot, "kernel 3×3×3×8")
        await pilot.press("x")
        await wait_for(pilot, "Slice of")
        app.screen.query_one("#answer").value = "[5:9, :, 0, 0]"
        await pilot.press("enter")
        await wait_for(pilot, "The slice is empty.")
        app.screen.query_one("#values").focus()
        await pilot.press("right", "down", "z")
        await pilot.click("#values")
        await wait_for(pilot, "The slice is empty.")


async def test_kernels_are_pictures_by_input_channel(open_app, wait_for, file, press_text):
    async with open_app((100, 30), target=file) as (app, pilot):
        await wait_for(pilot, "kernel 3×3×3×8")
        await pilot.press("right_square_bracket", "right_square_bracket")
        await wait_for(pilot, "8 kernels, input channel 1 of 3")
        await pilot.press("x")
        await wait_for(pilot, "Which input channel, 1 to 3?")
        app.screen.query_one("#answer").value = "0"
        await pilot.press("enter")
        await wait_for(pilot, "8 kernels, in colour")


async def test_layers_are_compared_by_bars(open_app, wait_for, file):
    async with open_app((110, 30), target=file) as (_, pilot):
        await wait_for(pilot, "kernel 3×3×3×8")
        await pilot.press("b")
        await wait_for(pilot, "norm of the values")
        for _ in range(4):
            await pilot.press("b")
        await wait_for(pilot, "NaN and infinite values")
        await wait_for(pilot, "16.0000")


async def test_the_slider_goes_through_a_runs_checkpoints(open_app, wait_for, new_run, train):
    run = new_run()
    train(run)
    first = run.path / "checkpoints" / "epoch-0001.weights.h5"
    async with open_app((100, 30), target=first) as (_, pilot):
        await wait_for(pilot, "file 1 of 4")
        await pilot.press("full_stop")
        await wait_for(pilot, "epoch-0002.weights.h5")
        await pilot.press("full_stop", "full_stop")
        await wait_for(pilot, "epoch-0004.weights.h5")
        await pilot.press("comma")
        await wait_for(pilot, "epoch-0003.weights.h5")


async def test_the_slider_goes_on_while_a_file_is_opening(open_app, wait_for, new_run, train):
    run = new_run()
    train(run)
    first = run.path / "checkpoints" / "epoch-0001.weights.h5"
    async with open_app((100, 30), target=first) as (app, pilot):
        await wait_for(pilot, "file 1 of 4")
        for _ in range(3):
            app.screen.action_later()
        await wait_for(pilot, "file 4 of 4")
        shutil.copy(first, first.with_name("epoch-0005.weights.h5"))
        await pilot.press("full_stop")
        await wait_for(pilot, "file 5 of 5")
        first.with_name("epoch-0004.weights.h5").write_bytes(b"")
        await pilot.press("comma")
        # A message may break a long path anywhere, so it is not looked for on the screen.
        await wait_for(
            pilot, lambda: any("epoch-0004" in str(t.render()) for t in app.screen.query("Toast"))
        )
        app.screen.action_earlier()
        app.screen.action_earlier()
        await wait_for(pilot, "file 3 of 5")


async def test_the_input_channel_stays_from_checkpoint_to_checkpoint(open_app, wait_for, file):
    first = file.rename(file.with_name("epoch-1.weights.h5"))
    shutil.copy(first, file.with_name("epoch-2.weights.h5"))
    async with open_app((100, 30), target=first) as (app, pilot):
        await wait_for(pilot, "kernel 3×3×3×8")
        await pilot.press("right_square_bracket", "right_square_bracket", "x")
        await wait_for(pilot, "Which input channel, 1 to 3?")
        app.screen.query_one("#answer").value = "2"
        await pilot.press("enter")
        await wait_for(pilot, "8 kernels, input channel 2 of 3")
        await pilot.press("full_stop")
        await wait_for(pilot, "file 2 of 2")
        await wait_for(pilot, "8 kernels, input channel")
        assert "input channel 2 of 3" in app.screen.query_one("#kernels").caption


def test_a_reading_tells_the_place_in_the_tensor(file):
    with weights.open(file) as table:
        dense, bias = table.tensors[-2:]
        values, wanted = dense.read(), threading.Event()
        plane = read_plane(dense, "[10:20:2, ::-1]", wanted)
        assert reading_of(plane, (), 1, 2) == f"[12, 7] = {values[12, 7]:.6g}"
        plane = read_plane(dense, "[5:, 3]", wanted)
        assert reading_of(plane, (), 0, 4) == f"[9] = {values[9, 3]:.6g}"
        plane = read_plane(dense, "[-4:, :]", wanted)
        assert reading_of(plane, (), 0, 0) == f"[60, 0] = {values[60, 0]:.6g}"
        assert reading_of(read_plane(bias, "[:]", wanted), (), 0, 2) == "[2] = 0"


@pytest.mark.parametrize(
    "expression",
    ["[:, :]", "[::-1, 3:7]", "[7:3, :]", "[50:4:-3, ::-2]", "[4, :]", "[:, -1]", "[1, 2]"],
)
def test_a_plane_read_in_parts_is_the_slice(file, monkeypatch, expression):
    monkeypatch.setattr(weight_reading, "PART", 70)
    with weights.open(file) as table:
        dense = table.tensors[-2]
        plane = read_plane(dense, expression, threading.Event())
        wanted = dense.read_slice(expression)
        shown = plane.values.reshape(-1)[: wanted.size].reshape(wanted.shape)
        np.testing.assert_array_equal(shown, wanted)
        given_up = threading.Event()
        given_up.set()
        if expression != "[1, 2]":
            with pytest.raises(weights.Cancelled):
                read_plane(dense, expression, given_up)


async def test_a_tensor_is_exported(open_app, wait_for, file, tmp_path):
    target = tmp_path / "kernel.npy"
    async with open_app((100, 30), target=file) as (app, pilot):
        await wait_for(pilot, "kernel 3×3×3×8")
        await pilot.press("e")
        await wait_for(pilot, "Write the tensor to")
        app.screen.query_one("#answer").value = str(target)
        await pilot.press("enter")
        await wait_for(pilot, target.exists)
    with h5py.File(file) as opened:
        np.testing.assert_array_equal(np.load(target), opened["layers/conv2d/vars/0"][()])


async def test_a_user_that_is_not_here_is_a_message(open_app, wait_for, file):
    async with open_app((100, 30), target=file) as (app, pilot):
        await wait_for(pilot, "kernel 3×3×3×8")
        await pilot.press("e")
        await wait_for(pilot, "Write the tensor to")
        app.screen.query_one("#answer").value = "~nobody-here/kernel.npy"
        await pilot.press("enter")
        await wait_for(pilot, "begins with the name of no user")


async def test_a_tensor_that_cannot_be_read_is_not_copied(open_app, wait_for, file):
    async with open_app((100, 30), target=file) as (app, pilot):
        await wait_for(pilot, "share of values")
        with file.open("r+b") as opened:
            opened.truncate(100)
        await pilot.press("y")
        await wait_for(pilot, "damaged")
        assert not app.clipboard


async def test_a_path_with_brackets_is_shown_as_it_is(open_app, wait_for, file, tmp_path):
    folder = tmp_path / "[" / "bold]"
    folder.mkdir(parents=True)
    path = file.rename(folder / "[old].weights.h5")
    async with open_app((100, 30), target=path) as (app, pilot):
        await wait_for(pilot, "share of values")
        tree = app.screen.query_one(Tree)
        await wait_for(pilot, lambda: tree.cursor_node and tree.cursor_node.data)
        with path.open("r+b") as opened:
            opened.truncate(100)
        await pilot.press("down")
        panel = app.screen.query_one("#tensor-statistics", Static)
        await wait_for(pilot, lambda: f"{path}: damaged" in str(panel.content))
        await pilot.press("y", "right_square_bracket")
        await wait_for(pilot, "damaged: the file ends")
        app.show_weights(folder.parent)
        await wait_for(pilot, "holds no weight files")


async def test_remembered_files_with_brackets_are_listed_as_they_are(
    open_app, wait_for, file, tmp_path
):
    folder = tmp_path / "[" / "bold]"
    folder.mkdir(parents=True)
    path = file.rename(folder / "x.weights.h5")
    async with open_app((160, 30)) as (app, pilot):
        app.view_state.view("weights")["recent"] = [str(path)]
        await pilot.press("3")
        await wait_for(pilot, str(path))


async def test_a_file_that_is_none_is_a_message(open_app, wait_for, tmp_path):
    path = tmp_path / "broken.weights.h5"
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + b"\0" * 50)
    async with open_app((100, 30), target=path) as (_, pilot):
        await wait_for(pilot, "broken.weights.h5")
        await wait_for(pilot, "Press o to open one")


async def test_a_file_cut_off_while_open_is_a_message(open_app, wait_for, file):
    async with open_app((100, 30), target=file) as (app, pilot):
        await wait_for(pilot, "kernel 3×3×3×8")
        with file.open("r+b") as opened:
            opened.truncate(3000)
        await pilot.press("right_square_bracket")
        for _ in range(8):
            await pilot.press("down")
            await pilot.pause()
        assert isinstance(app.screen.query_one(Tree), Tree)


async def test_two_files_are_compared(open_app, wait_for, file, tmp_path):
    other = tmp_path / "other.weights.h5"
    other.write_bytes(file.read_bytes())
    with h5py.File(other, "r+") as opened:
        opened["layers/dense/vars/0"][...] *= 2
        del opened["layers/conv2d"]
    async with open_app((120, 36), target=file) as (app, pilot):
        await wait_for(pilot, "kernel 3×3×3×8")
        app.show_diff(file, other)
        await wait_for(pilot, lambda: isinstance(app.screen, DiffScreen))
        await wait_for(pilot, "< 2 only in the first")
        await wait_for(pilot, "100.0 %")
        await pilot.press("u")
        await wait_for(pilot, lambda: len(app.screen._shown) == 3)
        await pilot.press("right_square_bracket")
        await wait_for(pilot, "There is no difference to draw")
        await pilot.press("x")
        await wait_for(pilot, "> 2 only in the second")


async def test_equal_files_are_said_to_be_equal(open_app, wait_for, tmp_path, new_run, train):
    run = new_run()
    train(run)
    one = run.path / "checkpoints" / "epoch-0004.weights.h5"
    async with open_app((120, 36), target=one) as (app, pilot):
        await wait_for(pilot, "conv2d")
        app.show_diff(one, one.with_name("last.weights.h5"))
        await wait_for(pilot, "The files are equal.")


async def test_giving_up_is_said_and_choosing_measures_again(open_app, wait_for, file):
    async with open_app((100, 30), target=file) as (app, pilot):
        await wait_for(pilot, "share of values")
        with app.screen._reading:
            await pilot.press("down")
            await pilot.pause(0.2)
            await pilot.press("ctrl+x")
            await wait_for(pilot, "Given up. Choose the tensor again to measure it.")
        await pilot.press("enter")
        await wait_for(pilot, "median")


async def test_what_nobody_waits_for_is_not_read(open_app, wait_for, file):
    async with open_app((100, 30), target=file) as (app, pilot):
        await wait_for(pilot, "share of values")
        read = threading.Event()
        with app.screen._reading:
            task = asyncio.create_task(app.screen._in_thread(lambda cancelled: read.set()))
            await pilot.pause(0.2)
            task.cancel()
            await pilot.pause(0.1)
        await pilot.pause(0.3)
        assert task.cancelled() and not read.is_set()


def test_the_outline_joins_names_that_do_not_branch():
    layers = {"block/conv/inner", "block/bn", "dense"}
    branches = branching(layers)
    assert outline_parts("block/conv/inner", branches) == ["block", "conv/inner"]
    assert outline_parts("dense", branches) == ["dense"]


def test_tensors_are_found_by_name_role_and_shape(file):
    with weights.open(file) as table:
        assert [t.layer for t in table.tensors if tensor_matches(t, "kernel 3x3 !conv2d_1")] == [
            "conv2d"
        ]
