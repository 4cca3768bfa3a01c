"""A form for a new run: what to train, on what, how, and what that will need."""

import asyncio
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widgets import Input, Label, Static

from cnnblocks.errors import CnnblocksError
from cnnblocks.paths import PathError, expanded
from cnnblocks.runs import RunDirectory
from cnnblocks_tui import wording
from cnnblocks_tui.actions import bindings
from cnnblocks_tui.fields import CHOICES, HINTS, FieldError, Kind
from cnnblocks_tui.screens.base import Place
from cnnblocks_tui.screens.browse import Browse
from cnnblocks_tui.screens.dialogs import Confirm
from cnnblocks_tui.screens.run import RunScreen
from cnnblocks_tui.widgets.pick import Pick
from cnnblocks_tui.widgets.pixels import Pixels

SETTINGS: dict[str, Any] = {
    "epochs": 15,
    "batch_size": 32,
    "input_shape": None,
    "precision": "float32",
    "device": "auto",
    "seed": 0,
    "weights": None,
    "freeze": None,
    "checkpoint_every": None,
    "keep": "best",
}
"""The fields above the recipe's own, with the values they start from."""
RECIPE: dict[str, Any] = {
    "optimizer": "adamw",
    "learning_rate": 1e-3,
    "schedule": "one-cycle",
    "warmup": 0.2,
    "momentum": 0.9,
    "nesterov": True,
    "weight_decay": 0.0,
    "clip_norm": None,
    "label_smoothing": 0.0,
    "ema": None,
    "class_weights": None,
    "augmentation": {},
    "resize": "stretch",
    "scaling": "standardize",
    "drop_remainder": True,
    "validation": "holdout",
    "validation_split": 0.1,
    "classifier_activation": "softmax",
    "outputs": "auto",
    "network_args": {},
    "kernel_initializer": None,
    "head_bias": 0.0,
    "best_by": "val_loss",
    "early_stopping": None,
}
"""The recipe's fields, with values that stand until the recipe is known."""
NOT_RECIPE = ("precision", "device", "seed", "weights", "freeze", "checkpoint_every", "keep")
UNSHOWN = ("backend", "deterministic", "input", "tune", "tensorboard", "csv", "dump_weights")
"""What a run that is repeated keeps, though the form has no field for it."""
DECIDE_RECIPE = ("input_shape", "validation", "validation_split")
"""The fields on which other values of the recipe depend."""


class NewRunScreen(Place):
    """Set up a run and start it.

    Args:
        values: What fills the form: `network`, `data`, any field, or `like`, a run directory
            whose configuration is repeated.
    """

    NAME = "new_run"
    HELP = (
        "A new run. Every value of the recipe is shown and may be changed; what you changed is "
        "marked, and ctrl+r puts the recipe's values back. ctrl+s starts the training in a "
        "process of its own."
    )
    CSS_PATH = "new_run.tcss"
    BINDINGS = bindings("new_run")

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        super().__init__()
        self.given = dict(values or {})
        self.kinds = {name: Kind(name, start) for name, start in (SETTINGS | RECIPE).items()}
        self.edited: set[str] = set()
        self._filled = {name: kind.write(kind.start) for name, kind in self.kinds.items()}
        # A field tells of the text that it begins with, too, which is no edit.
        self._texts = dict(self._filled)
        self.data: Mapping[str, Any] = {}
        self._source = ""
        self._unshown: dict[str, Any] = {}
        self._recipe: Mapping[str, Any] = {}
        self._recipe_of: Mapping[str, Any] = {}
        self.facts: dict[str, Mapping[str, Any]] = {}
        self.command = ""
        self._problem = ""
        self._needs: Mapping[str, Any] = {}
        self._starting = False
        self._typed = False

    def compose_body(self) -> ComposeResult:
        with Horizontal(id="form-main"):
            with VerticalScroll(id="form", can_focus=False):
                yield Static("What", classes="section")
                yield from self._row("network", Pick(id="field-network"))
                yield from self._row("data", Input("digits", id="field-data"))
                yield Pixels(id="preview-small", empty="Images of the data appear here.")
                yield from self._row("recipe", self._pick("recipe", "default"))
                yield Static("How", classes="section")
                for name, start in SETTINGS.items():
                    yield from self._row(name, self._field(name, start))
                yield Static("The recipe's values", classes="section")
                for name, start in RECIPE.items():
                    yield from self._row(name, self._field(name, start))
            with Vertical(id="side"):
                yield Pixels(id="preview", empty="Images of the data appear here.")
        yield Static(id="needs")

    def _row(self, name: str, field: Input | Pick) -> Iterator[Horizontal]:
        with Horizontal(classes="row", id=f"row-{name}") as row:
            yield Label(name.replace("_", " "), classes="field-name")  # type: ignore[misc]
            yield field  # type: ignore[misc]
            yield Label(HINTS.get(name, ""), classes="field-hint", id=f"hint-{name}")  # type: ignore[misc]
        del row

    def _field(self, name: str, start: Any) -> Input | Pick:
        text = self.kinds[name].write(start)
        if name in CHOICES or isinstance(start, bool) or name == "device":
            return self._pick(name, text)
        return Input(text, id=f"field-{name}")

    def _pick(self, name: str, value: str) -> Pick:
        choices = CHOICES.get(name, ("auto", "cpu") if name == "device" else ("yes", "no"))
        return Pick([(choice, choice) for choice in choices], value, id=f"field-{name}")

    def on_mount(self) -> None:
        self.query_one("#preview-small").can_focus = False
        self.query_one("#field-network").focus()
        self.in_background(self._begin, group="begin")

    def focus_main(self) -> None:
        self.query_one("#field-network").focus()

    async def _begin(self) -> None:
        """Fill the form: what was asked for first, then what the engine knows."""
        if "like" in self.given:
            try:
                repeated, self._unshown = _like(RunDirectory(Path(self.given["like"])).config)
            except (CnnblocksError, OSError) as error:
                self.notify(f"It cannot be repeated: {error}", severity="error", timeout=8)
            else:
                self.given = {**repeated, **self.given}
        # Given values stand even where they are what the form happens to start from.
        self.edited |= set(self.given) & set(self.kinds)
        with self.prevent(Input.Changed, Pick.Changed):
            for name, value in self.given.items():
                self._put(name, value)
        self._tell("Asking what there is …")
        try:
            facts = await self.app.engine.ask("networks.list")
        except CnnblocksError as error:
            self._fail(str(error))
            return
        options = [
            (str(f["name"]), f"{f['name']}  {wording.count(f.get('parameters'))} parameters")
            for f in facts
        ]
        self.facts = {str(entry["name"]): entry for entry in facts}
        wanted = self.given.get("network") or self.view.get("network") or "lenet5"
        self._pick_of("network").offer(options, str(wanted))
        self._refresh_data()
        await self._offer_devices()

    async def _offer_devices(self) -> None:
        try:
            answer = await self.app.engine.ask("devices")
        except CnnblocksError:
            return
        pick = self._pick_of("device")
        pick.offer(device_options(answer), pick.value)

    def _pick_of(self, name: str) -> Pick:
        return self.query_one(f"#field-{name}", Pick)

    def _text(self, name: str) -> str:
        field = self.query_one(f"#field-{name}")
        return field.value if isinstance(field, Input | Pick) else ""

    def _put(self, name: str, value: Any) -> None:
        found = self.query(f"#field-{name}")
        if not found:
            return
        kind = self.kinds.get(name, Kind(name, value))
        field = found.first()
        if isinstance(field, Input):
            field.value = kind.write(value)
        elif isinstance(field, Pick):
            field.value = kind.write(value)
            field.refresh()
        self._texts[name] = kind.write(value)

    def _differs(self, name: str) -> bool:
        """Whether a field's text is not what the recipe, or the form itself, has there."""
        return self._text(name) != self._filled[name]

    def _mark(self, name: str) -> None:
        differs = self._differs(name)
        row = self.query_one(f"#row-{name}")
        row.set_class(differs, "-edited")
        label = row.query_one(".field-name", Label)
        label.update(("* " if differs else "") + name.replace("_", " "))

    def on_input_changed(self, event: Input.Changed) -> None:
        self._changed(str(event.input.id).removeprefix("field-"))

    def on_pick_changed(self, event: Pick.Changed) -> None:
        self._changed(str(event.pick.id).removeprefix("field-"))

    def _changed(self, name: str) -> None:
        if name == "data":
            self._refresh_data()
        elif name in ("network", "recipe"):
            self.in_background(self._refresh_recipe, group="recipe")
        elif self._text(name) != self._texts[name]:
            self._edited(name)

    def leave_input(self) -> bool:
        """Ask before what somebody typed is thrown away."""
        if not self._typed or self._starting:
            return False

        def leave(sure: bool | None) -> None:
            if sure:
                self._typed = False
                self.call_later(self.app.action_back)

        self.app.push_screen(Confirm("Leave this form? What you changed is lost.", "Leave"), leave)
        return True

    def _edited(self, name: str) -> None:
        self._typed = True
        self._texts[name] = self._text(name)
        self.edited.add(name) if self._differs(name) else self.edited.discard(name)
        self._mark(name)
        self._check(name)
        self._refresh_needs()
        if name in DECIDE_RECIPE:
            self.in_background(self._refresh_recipe, group="recipe")

    def _check(self, name: str) -> str:
        """What is wrong with a field, said beside it too; nothing when it is right."""
        problem = ""
        try:
            self.kinds[name].read(self._text(name))
        except FieldError as error:
            problem = str(error)
        hint = self.query_one(f"#hint-{name}", Label)
        if problem or hint.has_class("-wrong"):
            hint.update(f"✗ {problem}" if problem else HINTS.get(name, ""))
            hint.set_class(bool(problem), "-wrong")
            self.query_one(f"#field-{name}").set_class(bool(problem), "-invalid")
        return problem

    def _values(self) -> dict[str, Any] | None:
        """All fields' values, or `None` when one of them is wrong."""
        wrong = [name.replace("_", " ") for name in self.kinds if self._check(name)]
        if wrong:
            self._fail(f"To be mended: {', '.join(wrong)}")
            return None
        return {name: kind.read(self._text(name)) for name, kind in self.kinds.items()}

    # What the engine tells

    def _refresh_data(self) -> None:
        self.in_background(self._show_data, group="data")

    async def _show_data(self) -> None:
        await asyncio.sleep(0.3)
        source = self._text("data").strip()
        if not source:
            self._fail("Name data: digits, mnist, cifar10 …, or a folder (ctrl+o browses).")
            return
        self._tell(f"Reading {source} …")
        try:
            answer = await self.app.engine.ask("data.preview", source=source, per_class=6)
        except CnnblocksError as error:
            self.data, self._source = {}, ""
            self._fail(str(error))
            for pixels in self._previews():
                pixels.say(str(error))
            return
        self.data, self._source = answer.get("description") or {}, source
        await self._show_preview(answer)
        await self._refresh_recipe()

    def _previews(self) -> list[Pixels]:
        return [self.query_one("#preview", Pixels), self.query_one("#preview-small", Pixels)]

    async def _show_preview(self, answer: Mapping[str, Any]) -> None:
        from cnnblocks_tui.image_reading import contact_sheet, load_array

        pictures = await asyncio.to_thread(load_array, answer["images"])
        names, labels = answer.get("class_names") or [], answer.get("labels") or []
        hint = self.query_one("#hint-data", Label)
        images = wording.count(split_size(self.data, "train"))
        hint.update(f"{len(names)} classes, {images} images")
        for pixels in self._previews():
            width, height = pixels.size.width or 40, 2 * (pixels.size.height or 6) - 2
            small = pixels.id == "preview-small"
            sheet, read = contact_sheet(pictures, labels, names, width, height if small else 0)
            caption = "" if small else f"{self.data.get('name', '')}: a row a class"
            pixels.show(sheet, scale="rgb", caption=caption, read=read)

    def _train_images(self) -> int:
        """How many images the epochs go through; 0 when the data are not known."""
        return images_to_train_on(
            self.data,
            self._value("validation"),
            self._value("validation_split"),
            self._unshown.get("images"),
        )

    async def _refresh_recipe(self) -> None:
        await asyncio.sleep(0.05)
        wanted = self._recipe_wanted()
        if not wanted["network"]:
            return
        self.view["network"] = wanted["network"]
        try:
            recipe = await self.app.engine.ask("recipes.show", **wanted)
        except CnnblocksError as error:
            self._fail(str(error))
            return
        self._recipe, self._recipe_of = recipe, wanted
        with self.prevent(Input.Changed, Pick.Changed):
            for name, value in recipe.items():
                if name in self.kinds:
                    self._fill(name, value)
        self._refresh_needs()

    def _recipe_wanted(self) -> dict[str, Any]:
        """What the recipe's values depend on."""
        own_shape = self._value("input_shape") if "input_shape" in self.edited else None
        return {
            "network": self._text("network"),
            "name": self._text("recipe"),
            "train_images": self._train_images() or 50_000,
            "data_shape": self._likely_shape(),
            "class_names": [str(entry["name"]) for entry in self.data.get("classes") or []],
            "input_shape": own_shape,
        }

    def _value(self, name: str) -> Any:
        """A field's value, or `None` while its text is none."""
        try:
            return self.kinds[name].read(self._text(name))
        except FieldError:
            return None

    def _refresh_needs(self) -> None:
        self.in_background(self._show_needs, group="needs")

    async def _show_needs(self) -> None:
        await asyncio.sleep(0.25)
        values = self._values()
        if values is None:
            return
        try:
            request = self._request(values)
            told = await self.app.engine.ask("runs.command", **request, base=self._recipe)
            self.command = str(told.get("command", ""))
            self._problem = ""
            self._needs = await self.app.engine.ask("estimate", **self._estimate(values))
        except CnnblocksError as error:
            self._fail(str(error))
            return
        self._draw_needs()

    def _request(self, values: Mapping[str, Any]) -> dict[str, Any]:
        settings = {name: values[name] for name in NOT_RECIPE}
        recipe = {"name": self._text("recipe"), **self._recipe_values(values)}
        return {
            "network": self._text("network"),
            "data": self._text("data").strip(),
            "options": {"recipe": recipe, **settings, **self._unshown},
            "runs_dir": str(self.app.runs.runs_dir),
        }

    def _recipe_values(self, values: Mapping[str, Any]) -> dict[str, Any]:
        return {name: values[name] for name in self.kinds if name not in NOT_RECIPE}

    def _estimate(self, values: Mapping[str, Any]) -> dict[str, Any]:
        recipe = self._recipe_values(values)
        precision = values["precision"]
        return {
            "network": self._text("network"),
            "input_shape": values["input_shape"] or self._likely_shape(),
            "num_classes": len(self.data.get("classes") or []) or 10,
            "train_images": self._train_images() or 1,
            "recipe": recipe,
            "precision": "float32" if precision == "auto" else precision,
        }

    def _likely_shape(self) -> list[int]:
        """The data's own shape if the network takes it, else the network's height and width."""
        facts = self.facts.get(self._text("network"), {})
        native = list(facts.get("native_input_shape") or [32, 32, 3])
        shape = list(self.data.get("image_shape") or native)
        if None in shape or min(shape[:2]) < int(facts.get("min_size") or 1):
            return [*native[:2], shape[2] or native[2]]
        return shape

    def _tell(self, text: str) -> None:
        self.query_one("#needs", Static).update(Text(text, style="dim"))

    def _fail(self, text: str) -> None:
        self._problem = text
        color = self.app.theme_variables.get("error", "")
        self.query_one("#needs", Static).update(Text(f"✗ {text}", style=f"bold {color}"))

    def _draw_needs(self) -> None:
        text = Text(needs_text(self._needs))
        text.append(f"\n$ {self.command}", style="dim")
        text.append("\nctrl+s starts it in the background", style="bold")
        self.query_one("#needs", Static).update(text)

    def _fill(self, name: str, value: Any) -> None:
        """Put the recipe's value into a field, unless it was changed."""
        self._filled[name] = self.kinds[name].write(value)
        if name not in self.edited:
            self._put(name, value)
        self._mark(name)

    # Actions

    def action_start(self) -> None:
        if not self._starting:
            self.in_background(self._start, group="start")

    async def _start(self) -> None:
        if not await self._up_to_date():
            return
        values = self._values()
        if values is None or self._starting:
            return
        self._starting = True
        self._tell("Creating the run …")
        work: Any = partial(self._create, self._request(values))
        self.app.run_worker(work, group="create")

    async def _up_to_date(self) -> bool:
        """Whether the fields stand for the data and the network named, read now if need be."""
        if self._source != self._text("data").strip():
            await self._show_data()
        if self._source and self._recipe_of != self._recipe_wanted():
            await self._refresh_recipe()
        return bool(self._source) and self._recipe_of == self._recipe_wanted()

    async def _create(self, request: Mapping[str, Any]) -> None:
        """The application's work: it goes on when the form is left, so no run is left behind."""
        app = self.app
        try:
            answer = await app.engine.ask("runs.create", **request)
            path = Path(answer["path"])
            await asyncio.to_thread(RunDirectory(path).launch)
        except (CnnblocksError, OSError) as error:
            if self.is_attached:
                self._fail(str(error))
            else:
                app.notify(str(error), severity="error", timeout=8)
            return
        finally:
            self._starting = False
        if app.screen is self:
            await app.switch_screen(RunScreen(path))
            return
        if self.is_attached:
            self._typed = False
            self._tell(f"{path.name} was started.")
        app.notify(f"{path.name} was started. Press 2 to see all runs.")

    def action_browse(self) -> None:
        focused = self.focused
        if focused is not None and focused.id == "field-weights":
            dialog = Browse("Start from which weights?", self._nearby("weights"))
            self.app.push_screen(dialog, lambda path: self._browsed("weights", path))
        else:
            dialog = Browse("A folder with a folder of images a class", self._nearby("data"), True)
            self.app.push_screen(dialog, lambda path: self._browsed("data", path))

    def _nearby(self, name: str) -> Path:
        """The folder that a field's path names, or the working directory."""
        try:
            path = expanded(self._text(name))
        except PathError:
            return Path.cwd()
        return path if path.is_absolute() else Path.cwd()

    def _browsed(self, name: str, path: Path | None) -> None:
        if path is not None:
            self.query_one(f"#field-{name}", Input).value = str(path)

    def action_reset(self) -> None:
        self.edited.clear()
        self._unshown.clear()
        with self.prevent(Input.Changed, Pick.Changed):
            for name, start in (SETTINGS | RECIPE).items():
                self._fill(name, start)
        self.in_background(self._refresh_recipe, group="recipe")

    def action_copy_command(self) -> None:
        if self.command:
            self.app.copy_to_clipboard(self.command)
            self.notify("Copied the command.")


def _like(config: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The values of a run that is to be repeated: those of the form, and those without a field."""
    data, recipe = config.get("data") or {}, config.get("recipe") or {}
    values = {"network": config.get("network"), "data": data.get("source") or data.get("name")}
    settings = {name: config[name] for name in NOT_RECIPE if config.get(name) is not None}
    own = {name: value for name, value in recipe.items() if name in RECIPE or name in SETTINGS}
    if recipe.get("name") in CHOICES["recipe"]:
        values["recipe"] = recipe["name"]
    unshown = {name: config.get(name) for name in UNSHOWN} | {"images": data.get("limit")}
    unshown = {name: value for name, value in unshown.items() if value is not None}
    return {**values, **own, **settings}, unshown


def device_options(answer: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What the device field offers, with how busy each device is where that is known."""
    options = [("auto", "auto"), ("cpu", "cpu")]
    cpu = answer.get("cpu") or {}
    if cpu.get("cores"):
        options[1] = ("cpu", f"cpu  {cpu['cores']} cores, {wording.percent(cpu.get('use'))} busy")
    gpus = answer.get("gpus") or []
    for index, gpu in enumerate(gpus):
        busy = "" if gpu.get("use") is None else f", {wording.percent(gpu['use'])} busy"
        options.append((f"gpu:{index}", f"gpu:{index}  {gpu.get('name', 'GPU')}{busy}"))
    if len(gpus) > 1:
        options.append(("all", f"all {len(gpus)} GPUs"))
    return options


def split_size(data: Mapping[str, Any], name: str) -> int:
    """How many images a split of described data has; 0 when it is not said."""
    return int((data.get("splits") or {}).get(name) or 0)


def images_to_train_on(
    data: Mapping[str, Any], validation: str | None, share: float | None, limit: int | None
) -> int:
    """How many images of described data are trained on, those that validate left out.

    Example:

        >>> data = {"splits": {"train": 900, "validation": 100}}
        >>> images_to_train_on(data, "none", 0.1, None), images_to_train_on(data, "tail", 0.2, 50)
        (1000, 40)
    """
    everything = split_size(data, "train") + split_size(data, "validation")
    if validation == "holdout" and share == 0.1 and limit is None:
        return split_size(data, "train")
    everything = min(everything, limit or everything)
    held_out = share or 0.0 if validation in ("holdout", "tail") else 0.0
    return round(everything * (1 - held_out))


def needs_text(needs: Mapping[str, Any]) -> str:
    """What a training needs, in a line."""
    parts = [
        f"{wording.count(needs.get('parameters'))} parameters",
        f"{wording.count(needs.get('multiply_adds'))} multiply-adds an image",
        f"about {wording.size(needs.get('memory'))} of memory",
        f"{wording.count(needs.get('steps_per_epoch'))} steps an epoch",
    ]
    if needs.get("steps"):
        parts.append(f"{wording.count(needs['steps'])} in all")
    return " · ".join(parts)
