"""What stands in files never steers the terminal."""

from rich.segment import Segment
from textual.color import Color

from cnnblocks_tui.plain import ControlFilter
from cnnblocks_tui.readings import ConsoleTail
from cnnblocks_tui.screens.dialogs import Confirm

CLEAR, CLIPBOARD = "\x1b[2J", "\x1b]52;c;aGVsbG8=\x07"


def controls(text):
    return [character for character in text if not character.isprintable()]


def test_the_console_loses_what_was_meant_for_a_terminal(tmp_path):
    path = tmp_path / "console.log"
    lines = [
        f"{CLEAR}one{CLIPBOARD} \x1b[1;31mred\x1b[0m\x1b]0;title\x1b\\ end",
        "10 %\r20 %\r\n100 %",
        "two\x0bthree\x85four",
        "\x1b]8;;never ended",
        "five\x9b2J",
    ]
    path.write_text("\n".join(lines) + "\nnot yet", newline="")
    told = ["one red end", "20 %", "100 %", "two\x0bthree\x85four", "", "five"]
    assert ConsoleTail(path).poll() == told


def test_a_line_without_control_characters_passes_as_it_is():
    segments = [Segment("█ one "), Segment("→ two")]
    background = Color(0, 0, 0)
    assert ControlFilter().apply(segments, background) is segments
    steered = ControlFilter().apply([Segment(f"a{CLEAR}b\x9bc")], background)
    assert "".join(segment.text for segment in steered) == "a[2Jbc"


async def test_a_note_cannot_steer_the_terminal(open_app, wait_for, lines_of, new_run):
    run = new_run()
    run.note = f"mine {CLEAR}{CLIPBOARD} end"
    async with open_app((200, 40)) as (app, pilot):
        await wait_for(pilot, "[2J")
        assert not controls("".join(lines_of(app)))
        app.notify(f"said {CLIPBOARD}")
        app.push_screen(Confirm(f"really {CLEAR}?"))
        await wait_for(pilot, "really [2J?")
        assert not controls("".join(lines_of(app)))
