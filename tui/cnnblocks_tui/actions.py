"""Every action of the program, once: bindings, footer, help, palette and the page of keys read it.

An action's id is `scope.name`. The scope is a screen or a kind of widget; the class that carries
the scope's bindings has a method `action_<name>`. Keys are what Textual calls them, separated by
commas; a person may change them in `keys.toml` by scope and name.
"""

from dataclasses import dataclass

from textual.binding import Binding, BindingType


@dataclass(frozen=True)
class Action:
    """One thing that a person can do.

    Attributes:
        id: Scope and name, such as `"runs.stop"`.
        keys: The default keys, comma separated; empty for an action of the palette only.
        label: One or two words for the footer.
        help: One sentence for the help, the palette and the page of keys.
        footer: Whether the footer shows it.
    """

    id: str
    keys: str
    label: str
    help: str
    footer: bool = True

    @property
    def scope(self) -> str:
        return self.id.split(".")[0]

    @property
    def name(self) -> str:
        return self.id.split(".")[1]


SCOPES = {
    "app": "Everywhere",
    "list": "In tables and trees",
    "tabs": "On screens with tabs",
    "dialog": "In questions",
    "confirm": "Yes or no",
    "browse": "Files and folders",
    "pick": "On a field with several values",
    "networks": "Networks",
    "new_run": "New run",
    "runs": "Runs",
    "run": "A run",
    "weights": "Weights",
    "layers": "Layers",
    "diff": "Diff",
    "predict": "Predict",
    "chart": "On a chart",
    "pixels": "On a heatmap or picture",
}

ACTIONS = (
    Action("app.networks", "1", "Networks", "Browse the networks.", footer=False),
    Action("app.runs", "2", "Runs", "List the training runs.", footer=False),
    Action("app.weights", "3", "Weights", "Look inside weight files.", footer=False),
    Action("app.predict", "4", "Predict", "Classify images with a trained model.", footer=False),
    Action("app.help", "question_mark,f1", "Help", "Explain what is in focus and list its keys."),
    Action("app.palette", "ctrl+p", "Palette", "Find any action by typing.", footer=False),
    Action("app.back", "escape", "Back", "Leave the filter or dialog, or go back.", footer=False),
    Action("app.quit", "q", "Quit", "Leave the program; training goes on."),
    Action("app.next_theme", "ctrl+t", "Theme", "Switch to the next theme.", footer=False),
    Action("app.save_picture", "", "Screenshot", "Save the screen as an SVG file.", footer=False),
    Action("app.show_log", "", "Log", "Say where the program's log file is.", footer=False),
    Action("list.cursor_down", "j,down", "Down", "Move down.", footer=False),
    Action("list.cursor_up", "k,up", "Up", "Move up.", footer=False),
    Action("list.go_left", "h,left", "Left", "Move left, or fold.", footer=False),
    Action("list.go_right", "l,right", "Right", "Move right, or unfold.", footer=False),
    Action("list.go_top", "g,home", "Top", "Go to the first line.", footer=False),
    Action("list.go_bottom", "G,end", "Bottom", "Go to the last line.", footer=False),
    Action("list.page_down", "ctrl+d,pagedown", "Page down", "Go down a page.", footer=False),
    Action("list.page_up", "ctrl+u,pageup", "Page up", "Go up a page.", footer=False),
    Action("list.select_cursor", "enter", "Open", "Open what is under the cursor.", footer=False),
    Action("tabs.next_tab", "right_square_bracket", "Next tab", "Show the next tab.", footer=False),
    Action(
        "tabs.previous_tab",
        "left_square_bracket",
        "Previous tab",
        "Show the tab before.",
        footer=False,
    ),
    Action("dialog.give_up", "escape", "Leave it", "Leave everything as it was.", footer=False),
    Action("dialog.help", "question_mark,f1", "Help", "Explain the question.", footer=False),
    Action("confirm.yes", "y", "Yes", "Do it.", footer=False),
    Action("browse.go_up", "backspace", "Up", "Go to the folder above.", footer=False),
    Action("browse.hidden", "full_stop", "Hidden", "Show hidden files, or not.", footer=False),
    Action("pick.previous", "left,h", "Previous", "Take the value before.", footer=False),
    Action("pick.next", "right,l,space", "Next", "Take the next value.", footer=False),
    Action("pick.list", "enter", "List", "List all values.", footer=False),
    Action("networks.filter", "slash", "Filter", "Type to narrow the list of networks."),
    Action("networks.train", "n,t", "Train", "Set up a run of this network."),
    Action("networks.compare", "c", "Compare", "Put the next chosen network beside this one."),
    Action("networks.input_size", "i", "Input", "Change input shape, classes or batch."),
    Action("networks.fold", "z", "Fold", "Fold or unfold every block of the table."),
    Action("networks.sort", "s", "Sort", "Sort the layers by the next column.", footer=False),
    Action("networks.layer_filter", "f", "Find layer", "Narrow the layer table.", footer=False),
    Action("networks.columns", "v", "Columns", "Choose the table's columns.", footer=False),
    Action("networks.export", "e", "Export", "Write the table as CSV or Markdown.", footer=False),
    Action("networks.find_weights", "w", "Weights", "Open the newest weights of this network."),
    Action("new_run.start", "ctrl+s,f5", "Start", "Start training with these values."),
    Action("new_run.browse", "ctrl+o,f3", "Browse", "Choose a folder of images or a weight file."),
    Action("new_run.reset", "ctrl+r", "Recipe values", "Put the recipe's own values back."),
    Action("new_run.copy_command", "f4", "Copy command", "Copy the command that does the same."),
    Action("runs.open", "enter", "Open", "Watch the run.", footer=False),
    Action("runs.new", "n", "New", "Set up a new run."),
    Action("runs.filter", "slash", "Filter", "Narrow the list; ! before a word leaves it out."),
    Action("runs.stop", "s", "Stop", "Stop after this epoch; the run can be resumed."),
    Action("runs.stop_now", "S", "Stop now", "Stop now; the steps in flight finish.", footer=False),
    Action("runs.resume", "r", "Resume", "Go on exactly where the run stopped."),
    Action("runs.mark", "space", "Mark", "Mark the run for an overlay."),
    Action("runs.overlay", "o", "Overlay", "Draw the curves of all marked runs together."),
    Action("runs.color", "c", "Colour", "Pin the next colour to this run.", footer=False),
    Action("runs.sort", "t", "Sort", "Sort by the next column.", footer=False),
    Action("runs.reverse", "T", "Reverse", "Turn the order round.", footer=False),
    Action("runs.duplicate", "D", "Duplicate", "Set up a new run like this one.", footer=False),
    Action("runs.note", "e", "Note", "Write a note into the run.", footer=False),
    Action("runs.delete", "d,delete", "Delete", "Delete the run, after asking.", footer=False),
    Action(
        "runs.everywhere",
        "a",
        "All places",
        "List the runs of all places.",
        footer=False,
    ),
    Action("run.stop", "s", "Stop", "Stop after this epoch; the run can be resumed."),
    Action("run.stop_now", "S", "Stop now", "Stop now; the steps in flight finish.", footer=False),
    Action("run.resume", "r", "Resume", "Go on exactly where the run stopped."),
    Action("run.pause", "p", "Hold", "Hold the picture still; training goes on."),
    Action("run.smoother", "plus,equals_sign", "Smoother", "Smooth the curves more.", footer=False),
    Action("run.rougher", "minus", "Rougher", "Smooth the curves less.", footer=False),
    Action("run.log_axis", "y", "Log axis", "Loss on a logarithmic axis, or not.", footer=False),
    Action("run.time_axis", "x", "Time axis", "Curves over steps, epochs or time.", footer=False),
    Action("run.overlay", "o", "Overlay", "Draw another run's curves over these.", footer=False),
    Action("run.weights", "w", "Weights", "Open the chosen checkpoint's weights."),
    Action("run.diff", "d", "Diff", "Compare the chosen checkpoint with the one before."),
    Action("run.evaluate", "v", "Evaluate", "Measure the best weights on the test data."),
    Action("run.predict", "i", "Predict", "Classify images with this run's model.", footer=False),
    Action("run.layers", "m", "Layers", "Show the layers of this run's network.", footer=False),
    Action("run.note", "e", "Note", "Write a note into the run.", footer=False),
    Action("run.duplicate", "D", "Duplicate", "Set up a new run like this one.", footer=False),
    Action("weights.open", "o", "Open", "Open another file."),
    Action("weights.search", "slash", "Search", "Narrow the tensors by name, role or shape."),
    Action("weights.diff", "d", "Diff", "Compare this file with another one."),
    Action("weights.slice", "x", "Slice", "Choose which slice of the tensor is shown."),
    Action(
        "weights.earlier",
        "comma",
        "Earlier",
        "The tensor one checkpoint before.",
        footer=False,
    ),
    Action("weights.later", "full_stop", "Later", "The tensor one checkpoint later.", footer=False),
    Action("weights.identify", "i", "Fits", "Find the networks that this file fits."),
    Action("weights.layers", "m", "Layers", "Show the layers of a model file.", footer=False),
    Action("weights.bars", "b", "Bars", "Measure the layers by the next quantity.", footer=False),
    Action("weights.export", "e", "Export", "Write the tensor to .npy, .csv or .txt."),
    Action("weights.copy", "y", "Copy", "Copy the tensor's facts, or its small values.", False),
    Action("weights.cancel", "ctrl+x", "Cancel", "Give up the measuring under way.", footer=False),
    Action("layers.filter", "slash,f", "Find layer", "Narrow the layer table."),
    Action("layers.fold", "z", "Fold", "Fold or unfold every block of the table."),
    Action("layers.sort", "s", "Sort", "Sort the layers by the next column."),
    Action("layers.export", "e", "Export", "Write the table as CSV or Markdown."),
    Action("diff.filter", "slash", "Filter", "Narrow the list of tensors."),
    Action("diff.changed", "u", "Changed", "Show only what differs, or everything."),
    Action("diff.sort", "t", "Sort", "Sort by the next column."),
    Action("diff.swap", "x", "Swap", "Exchange the two files."),
    Action("diff.export", "e", "Export", "Write the comparison as JSON."),
    Action("diff.cancel", "ctrl+x", "Cancel", "Give up the comparing under way.", footer=False),
    Action("predict.open", "o", "Model", "Choose a run or a model file."),
    Action("predict.add", "a", "Images", "Add an image or a folder of images."),
    Action("predict.remove", "d,delete", "Remove", "Take the image off the list."),
    Action("predict.maps", "m", "Maps", "Show what a block makes of the image."),
    Action("chart.cursor_left", "left,h", "Cursor left", "Read values further left.", False),
    Action(
        "chart.cursor_right", "right,l", "Cursor right", "Read the values further right.", False
    ),
    Action("pixels.cursor_left", "left,h", "Left", "Move the reading cursor left.", False),
    Action("pixels.cursor_right", "right,l", "Right", "Move the reading cursor right.", False),
    Action("pixels.cursor_up", "up,k", "Up", "Move the reading cursor up.", False),
    Action("pixels.cursor_down", "down,j", "Down", "Move the reading cursor down.", False),
    Action("pixels.zoom", "z", "Zoom", "Show every value, or the whole array reduced.", False),
)


def actions(scope: str) -> list[Action]:
    """The actions of one scope, in the order in which they are shown."""
    return [action for action in ACTIONS if action.scope == scope]


def bindings(*scopes: str) -> list[BindingType]:
    """The scopes' actions as Textual bindings.

    Example:

        >>> [binding.action for binding in bindings("tabs")]
        ['next_tab', 'previous_tab']
    """
    return [
        Binding(
            action.keys,
            action.name,
            action.label,
            show=action.footer,
            tooltip=action.help,
            id=action.id,
        )
        for scope in scopes
        for action in actions(scope)
        if action.keys
    ]
