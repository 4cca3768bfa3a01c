"""The application: its places, its looks, and what all screens share."""

import asyncio
import logging
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from textual.app import App
from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.events import DescendantFocus, Event, InputEvent
from textual.screen import Screen
from textual.widgets import Input

from cnnblocks.errors import CnnblocksError
from cnnblocks.runs import RunLister, RunSummary
from cnnblocks_tui import latency
from cnnblocks_tui.actions import ACTIONS, Action, bindings
from cnnblocks_tui.engine_client import EngineClient
from cnnblocks_tui.places import ViewState, log_path
from cnnblocks_tui.plain import AsciiFilter, ControlFilter
from cnnblocks_tui.settings import Settings
from cnnblocks_tui.themes import THEMES

log = logging.getLogger("cnnblocks_tui")


class ActionProvider(Provider):
    """The palette: every action that means something on the screen at hand."""

    async def discover(self) -> Hits:
        """Textual's hook: what the palette shows before anything is typed."""
        for action, run in self._actions():
            yield DiscoveryHit(action.label, run, text=action.label, help=self._help(action))

    async def search(self, query: str) -> Hits:
        """Textual's hook: what fits the words typed."""
        matcher = self.matcher(query)
        for action, run in self._actions():
            score = matcher.match(action.label) or 0.1 * (query.lower() in action.help.lower())
            if score > 0:
                yield Hit(
                    score, matcher.highlight(action.label), run, action.label, self._help(action)
                )

    def _actions(self) -> list[tuple[Action, Callable[[], Any]]]:
        app = self.app
        assert isinstance(app, CnnblocksApp)
        return [(action, app.runner(action, self.screen)) for action in app.actions_of(self.screen)]

    def _help(self, action: Action) -> str:
        app = self.app
        assert isinstance(app, CnnblocksApp)
        keys = app.keys_of(action)
        return f"{action.help} ({keys})" if keys else action.help


class CnnblocksApp(App[None]):
    """Browse the networks, train them, and look inside the weights.

    Args:
        settings: Looks, keys and the runs directory.
        target: What to open first: a run, a weight file or a directory; `None` for the place
            that was open last.
        settles: Whether the process is this program's alone, and may be tuned for it: see
            `cnnblocks_tui.latency`.

    Example:

        >>> from cnnblocks_tui.app import CnnblocksApp
        >>> CnnblocksApp().run()  # doctest: +SKIP
    """

    TITLE = "cnnblocks"
    CSS_PATH = "app.tcss"
    BINDINGS = bindings("app")
    COMMANDS: ClassVar[set[Any]] = {ActionProvider}
    COMMAND_PALETTE_BINDING = "f11"
    MODES: ClassVar[dict[str, Any]] = {
        mode: (lambda mode=mode: _screen_of(mode))
        for mode in ("networks", "runs", "weights", "predict")
    }

    def __init__(
        self,
        settings: Settings | None = None,
        target: Path | None = None,
        settles: bool = False,
    ) -> None:
        self.settings = settings or Settings()
        self.target = target
        self._settles = settles
        self._touched = time.monotonic()
        self.view_state = ViewState.load()
        self.runs = RunLister(self.settings.runs_dir)
        self.engine = EngineClient(on_change=self._engine_changed)
        self.ascii_only = self.settings.ascii
        super().__init__()
        self._filters.append(ControlFilter())
        if self.ascii_only:
            self._filters.append(AsciiFilter())
        if self.settings.reduced_motion:
            self.animation_level = "none"
        for theme in THEMES:
            self.register_theme(theme)
        remembered = self.view_state.view("app").get("theme")
        wanted = self.settings.theme or remembered
        self.theme = wanted if wanted in self.available_themes else THEMES[0].name
        self.set_keymap(self.settings.keymap)

    def on_mount(self) -> None:
        self.set_class(self.ascii_only, "-ascii", update=False)
        for problem in self.settings.problems:
            self.notify(problem, severity="warning", timeout=10)
        self.theme_changed_signal.subscribe(self, self._remember_theme)
        self.open_first()

    def on_ready(self) -> None:
        if self._settles:
            self.set_timer(0.3, self._settle)
            self._end_by_signals()

    def _end_by_signals(self) -> None:
        """End as by `q` when the terminal is closed or the process is asked to end."""
        # Windows has neither a SIGHUP nor handlers in the loop.
        if sys.platform == "win32":
            return
        for received in (signal.SIGHUP, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(received, self._end_by_signal)
        resume = signal.getsignal(signal.SIGCONT)

        def resume_if_open(*arguments: Any) -> None:
            # A terminal that is closed sends this, too. Textual would then read from it, for
            # ever if the program has just ended.
            if callable(resume) and terminal_is_open():
                resume(*arguments)

        signal.signal(signal.SIGCONT, resume_if_open)

    def _end_by_signal(self) -> None:
        # A terminal that is gone may keep the program from ending in order.
        self.view_state.save()
        self.exit()

    def on_descendant_focus(self, event: DescendantFocus) -> None:
        if self.settings.reduced_motion and isinstance(event.widget, Input):
            event.widget.cursor_blink = False

    async def _settle(self) -> None:
        await asyncio.to_thread(latency.import_soon_needed)
        latency.settle()
        self.set_interval(2, lambda: latency.collect(time.monotonic() - self._touched))

    async def on_event(self, event: Event) -> None:
        if isinstance(event, InputEvent):
            self._touched = time.monotonic()
        await super().on_event(event)

    async def on_unmount(self) -> None:
        self.view_state.save()
        await self.engine.close()

    def open_first(self) -> None:
        """Show what the command line named, or the place that was open last."""
        from cnnblocks_tui.opening import kind_of

        remembered = self.view_state.view("app").get("mode", "runs")
        if self.target is None:
            self.switch_mode(remembered if remembered in self.MODES else "runs")
            return
        kind, path = kind_of(self.target)
        self.open_path(kind, path)

    def open_path(self, kind: str, path: Path) -> None:
        """Open a `run`, a directory of `runs`, or a file or directory of `weights`."""
        if kind == "runs":
            self.runs = RunLister(path)
            self.switch_mode("runs")
        elif kind == "run":
            self.switch_mode("runs")
            self.show_run(path)
        else:
            self.show_weights(path)

    def show_run(self, path: Path) -> None:
        """Watch a run."""
        from cnnblocks_tui.screens.run import RunScreen

        self.switch_mode("runs")
        self.push_screen(RunScreen(path))

    def show_weights(self, path: Path) -> None:
        """Look inside a weight file."""
        from cnnblocks_tui.screens.weights import WeightsScreen

        self.switch_mode("weights")
        screen = self.screen_stack[0]
        if isinstance(screen, WeightsScreen):
            self._pop_to_base()
            screen.open_file(path)

    def show_layers(self, model: Path) -> None:
        """Show the layers of a model file, or of a run's network."""
        from cnnblocks_tui.screens.layers import LayersScreen

        self.push_screen(LayersScreen(model))

    def show_diff(self, first: Path, second: Path) -> None:
        """Compare two weight files."""
        from cnnblocks_tui.screens.diff import DiffScreen

        self.push_screen(DiffScreen(first, second))

    def show_new_run(self, **values: Any) -> None:
        """Set up a run; `values` fill the form's fields."""
        from cnnblocks_tui.screens.new_run import NewRunScreen

        self.switch_mode("runs")
        self.push_screen(NewRunScreen(values))

    def show_predict(self, model: Path) -> None:
        """Classify images with a run's model or a model file."""
        from cnnblocks_tui.screens.predict import PredictScreen

        self.switch_mode("predict")
        screen = self.screen_stack[0]
        if isinstance(screen, PredictScreen):
            self._pop_to_base()
            screen.open_model(model)

    def notify(self, message: str, *, markup: bool = False, **options: Any) -> None:
        """Textual's hook: a message as it stands, for names and notes have brackets, too."""
        super().notify(message, markup=False, **options)

    def known_runs(self) -> list[RunSummary]:
        """The runs, newest first; none where they cannot be listed."""
        try:
            return self.runs.poll()[::-1]
        except (CnnblocksError, OSError):
            return []

    def background_status(self) -> str:
        """What the bar on top says at its right end."""
        return self.engine.state_in_words

    def actions_of(self, screen: Screen[Any]) -> list[Action]:
        """The actions that mean something on a screen: its own and everybody's."""
        scopes = {"app", getattr(screen, "NAME", "")}
        return [
            action for action in ACTIONS if action.scope in scopes and action.id != "app.palette"
        ]

    def keys_of(self, action: Action) -> str:
        """The keys of an action as shown to people, the keymap's included."""
        keys = self.settings.keymap.get(action.id, action.keys)
        return ", ".join(self.get_key_display(binding) for binding in bindings_for(keys, action))

    def runner(self, action: Action, screen: Screen[Any]) -> Callable[[], Any]:
        """What the palette calls to perform an action."""
        owner = self if action.scope == "app" else screen
        return getattr(owner, f"action_{action.name}")

    def action_networks(self) -> None:
        self._go("networks")

    def action_runs(self) -> None:
        self._go("runs")

    def action_weights(self) -> None:
        self._go("weights")

    def action_predict(self) -> None:
        self._go("predict")

    def action_help(self) -> None:
        from cnnblocks_tui.screens.help import HelpScreen

        if not isinstance(self.screen, HelpScreen):
            self.push_screen(HelpScreen(self.screen))

    def action_palette(self) -> None:
        self.action_command_palette()

    async def action_back(self) -> None:
        screen = self.screen
        leave = getattr(screen, "leave_input", None)
        if leave is not None and leave():
            return
        if len(self.screen_stack) > 1:
            screen.dismiss() if screen.is_modal else self.pop_screen()

    def action_next_theme(self) -> None:
        names = [theme.name for theme in THEMES]
        place = names.index(self.theme) if self.theme in names else -1
        self.theme = names[(place + 1) % len(names)]
        self.notify(f"Theme: {self.theme}")

    def action_save_picture(self) -> None:
        try:
            saved = self.save_screenshot(path=str(Path.cwd()))
        except OSError as error:
            self.notify(f"The screen cannot be saved here: {error}", severity="error")
        else:
            self.notify(f"Saved {saved}")

    def action_show_log(self) -> None:
        self.notify(f"The log is {log_path()}", timeout=10)

    def _go(self, mode: str) -> None:
        if self.screen.is_modal:
            return
        if mode == self.current_mode:
            self._pop_to_base()
            return
        self.view_state.view("app")["mode"] = mode
        self.switch_mode(mode)

    def _pop_to_base(self) -> None:
        while len(self.screen_stack) > 1:
            self.pop_screen()

    def _remember_theme(self, theme: Any) -> None:
        self.view_state.view("app")["theme"] = theme.name

    def _engine_changed(self) -> None:
        from cnnblocks_tui.screens.base import TopBar

        for bar in self.screen.query(TopBar):
            bar.refresh()

    def _handle_exception(self, error: Exception) -> None:
        log.error("Uncaught error", exc_info=error)
        super()._handle_exception(error)

    def _fatal_error(self) -> None:
        """Textual's hook for an uncaught error: a sentence instead of a traceback."""
        self.panic(
            f"cnnblocks-tui met an error it did not expect and had to close. Running trainings go "
            f"on; start cnnblocks-tui again to see them.\nWhat happened is in {log_path()}"
        )


def terminal_is_open() -> bool:
    """Whether the terminal that the program was started in is still there."""
    import termios

    try:
        termios.tcgetattr(sys.__stdin__ or 0)
    except (OSError, ValueError, termios.error):
        return False
    return True


def bindings_for(keys: str, action: Action) -> list[Any]:
    """An action's keys as single bindings, for showing them."""
    from textual.binding import Binding

    if not keys:
        return []
    return list(Binding.make_bindings([Binding(keys, action.name, action.label)]))


def _screen_of(mode: str) -> Screen[Any]:
    """A place's screen, imported when it is first shown, so that the first paint is early."""
    from importlib import import_module

    module = import_module(f"cnnblocks_tui.screens.{mode}")
    screen: Screen[Any] = getattr(module, f"{mode.capitalize()}Screen")()
    return screen
