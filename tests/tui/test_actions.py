"""One registry: bindings, handlers, footer, help, palette and the page of keys agree with it."""

import importlib
import os
import re
import tomllib
from pathlib import Path

import pytest
from textual.binding import Binding
from textual.command import CommandPalette

from cnnblocks_tui.actions import ACTIONS, SCOPES, actions, bindings
from cnnblocks_tui.screens.dialogs import Confirm
from cnnblocks_tui.settings import keymap_template, load_settings

OWNERS = {
    "app": ["cnnblocks_tui.app:CnnblocksApp"],
    "list": [
        "cnnblocks_tui.widgets.lists:Table",
        "cnnblocks_tui.widgets.lists:Outline",
        "cnnblocks_tui.widgets.lists:Choices",
    ],
    "tabs": [
        "cnnblocks_tui.screens.run:RunScreen",
        "cnnblocks_tui.screens.weights:WeightsScreen",
        "cnnblocks_tui.screens.networks:NetworksScreen",
        "cnnblocks_tui.screens.diff:DiffScreen",
        "cnnblocks_tui.screens.predict:PredictScreen",
    ],
    "dialog": ["cnnblocks_tui.screens.dialogs:Dialog"],
    "confirm": ["cnnblocks_tui.screens.dialogs:Confirm"],
    "browse": ["cnnblocks_tui.screens.browse:Browse"],
    "pick": ["cnnblocks_tui.widgets.pick:Pick"],
    "networks": ["cnnblocks_tui.screens.networks:NetworksScreen"],
    "new_run": ["cnnblocks_tui.screens.new_run:NewRunScreen"],
    "runs": ["cnnblocks_tui.screens.runs:RunsScreen"],
    "run": ["cnnblocks_tui.screens.run:RunScreen"],
    "weights": ["cnnblocks_tui.screens.weights:WeightsScreen"],
    "layers": ["cnnblocks_tui.screens.layers:LayersScreen"],
    "diff": ["cnnblocks_tui.screens.diff:DiffScreen"],
    "predict": ["cnnblocks_tui.screens.predict:PredictScreen"],
    "chart": ["cnnblocks_tui.widgets.chart:Chart"],
    "pixels": ["cnnblocks_tui.widgets.pixels:Pixels"],
}
SCREENS = ["networks", "runs", "run", "weights", "diff", "predict"]
OWNED = [(scope, home) for scope, homes in OWNERS.items() for home in homes]


def load(home):
    module, name = home.split(":")
    return getattr(importlib.import_module(module), name)


def test_every_scope_has_an_owner_and_a_heading():
    assert {action.scope for action in ACTIONS} == set(SCOPES) == set(OWNERS)


def test_ids_are_unique():
    assert len({action.id for action in ACTIONS}) == len(ACTIONS)


@pytest.mark.parametrize("scope, home", OWNED)
def test_the_owner_binds_and_handles_every_action_of_its_scope(scope, home):
    owner = load(home)
    for action in actions(scope):
        assert callable(getattr(owner, f"action_{action.name}", None)), action.id
    bound = {binding.id for binding in owner.BINDINGS if isinstance(binding, Binding)}
    assert {action.id for action in actions(scope) if action.keys} <= bound


@pytest.mark.parametrize("scope", list(SCOPES))
def test_no_key_means_two_things_in_a_scope(scope):
    keys = [binding.key for binding in Binding.make_bindings(bindings(scope))]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize("scope", SCREENS)
def test_a_screens_keys_leave_everybodys_keys_alone(scope):
    own = {binding.key for binding in Binding.make_bindings(bindings(scope))}
    assert not own & {binding.key for binding in Binding.make_bindings(bindings("app"))}


@pytest.mark.parametrize(
    "scope", ["networks", "new_run", "runs", "run", "weights", "diff", "predict"]
)
def test_the_footer_fits_into_eighty_columns(scope):
    shown = [action for action in (*actions(scope), *actions("app")) if action.footer]
    keys = [action.keys.split(",")[0].replace("ctrl+", "^") for action in shown]
    keys = [key if key in ("space", "f4") else key[-2:] if "^" in key else "x" for key in keys]
    assert sum(len(k) + len(a.label) + 3 for k, a in zip(keys, shown, strict=True)) <= 80


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.id)
def test_every_action_says_what_it_does_in_a_sentence(action):
    assert action.help[0].isupper() and action.help.endswith(".")
    assert action.label and len(action.label) <= 14


def test_the_page_of_keys_is_up_to_date():
    script = Path(__file__).parents[2] / "scripts" / "keys.py"
    spec = importlib.util.spec_from_file_location("keys_script", script)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.PAGE.read_text() == module.page(), "run: python scripts/keys.py"


def test_the_keymap_template_changes_nothing_and_names_everything():
    template = keymap_template()
    assert tomllib.loads(template) == {scope: {} for scope in SCOPES}
    taken = tomllib.loads(re.sub(r"^# (\w+ = )", r"\1", template, flags=re.MULTILINE))
    named = {f"{scope}.{name}": keys for scope in taken for name, keys in taken[scope].items()}
    assert named == {action.id: action.keys for action in ACTIONS if action.keys}


def write_keys(text):
    path = Path(os.environ["CNNBLOCKS_CONFIG_DIR"]) / "keys.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


async def test_keys_can_be_changed_in_a_file(open_app, new_run, train, wait_for):
    train(new_run())
    write_keys('[runs]\nmark = "m"\n')
    async with open_app() as (app, pilot):
        await wait_for(pilot, "finished")
        await pilot.press("space")
        assert app.screen.marked == []
        await pilot.press("m")
        assert len(app.screen.marked) == 1
        await wait_for(pilot, "m Mark")


def test_a_damaged_key_file_is_told_and_left_out():
    write_keys("[runs\n")
    settings = load_settings()
    assert settings.keymap == {} and "keys.toml was left out" in settings.problems[0]
    write_keys('[runs]\nfly = "f"\nmark = 3\n')
    assert len(load_settings().problems) == 2


async def test_the_footer_shows_the_registrys_labels(open_app, new_run, train, wait_for, lines_of):
    train(new_run())
    async with open_app((120, 36)) as (app, pilot):
        await wait_for(pilot, "finished")
        footer = lines_of(app)[-1]
        for action in actions("runs"):
            assert (action.label in footer) == action.footer, action.id


async def test_help_lists_the_keys_of_screen_widget_and_program(open_app, wait_for, new_run, train):
    train(new_run())
    async with open_app((120, 60)) as (app, pilot):
        await wait_for(pilot, "finished")
        await pilot.press("question_mark")
        await wait_for(pilot, "In tables and trees")
        for action in (*actions("runs"), *actions("list"), *actions("app")):
            await wait_for(pilot, action.help)
        await pilot.press("escape")
        await wait_for(pilot, lambda: app.screen.NAME == "runs")


async def test_a_question_has_help_of_its_own(open_app, wait_for, new_run, train):
    train(new_run())
    async with open_app((120, 60)) as (app, pilot):
        await wait_for(pilot, "finished")
        await pilot.press("d")
        await wait_for(pilot, "Delete")
        await pilot.press("question_mark")
        await wait_for(pilot, "Yes or no")
        for action in (*actions("confirm"), *actions("dialog")):
            await wait_for(pilot, action.help)
        await pilot.press("escape")
        await wait_for(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press("escape")
        await wait_for(pilot, lambda: app.screen.NAME == "runs")


async def test_the_mouse_reaches_every_action_by_the_name_on_top(open_app, wait_for):
    async with open_app((120, 90)) as (app, pilot):
        await pilot.click("TopBar", offset=(3, 0))
        await wait_for(pilot, lambda: isinstance(app.screen, CommandPalette))
        for action in actions("runs"):
            await wait_for(pilot, action.help)


async def test_the_palette_offers_and_runs_the_screens_actions(open_app, wait_for, press_text):
    async with open_app((100, 40)) as (app, pilot):
        await pilot.press("ctrl+p")
        await wait_for(pilot, lambda: isinstance(app.screen, CommandPalette))
        await press_text(pilot, "log")
        await wait_for(pilot, "Say where the program's log file is.")
        await pilot.press("enter")
        await wait_for(pilot, "The log is")
