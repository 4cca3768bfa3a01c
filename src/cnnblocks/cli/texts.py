"""How numbers, durations and events read in a terminal."""

from typing import Any

STATE_STYLES = {
    "queued": "cyan",
    "running": "bold blue",
    "stopping": "blue",
    "stopped": "yellow",
    "finished": "green",
    "failed": "bold red",
    "interrupted": "bold yellow",
    "unreadable": "red",
}

_AT_THE_END = {
    "interrupted": "the process is gone; go on with: cnnblocks resume {id}",
    "stopped": "go on with: cnnblocks resume {id}",
    "failed": "see {path}/console.log",
}


def duration(seconds: float | None) -> str:
    """Seconds as people say them: `8.3 s`, `2 min 05 s`, `1 h 10 min`, `2 d 3 h`; `` for None."""
    if seconds is None:
        return ""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes:02d} min"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h"


def number(value: Any, digits: int = 4) -> str:
    """A number with a fixed count of decimals, small ones in scientific notation; `` for None."""
    if value is None:
        return ""
    small = value != 0 and abs(value) < 10**-digits
    return f"{value:.2e}" if small else f"{value:,.{digits}f}"


def metrics(values: dict[str, Any]) -> str:
    """Metrics by their names: `accuracy 0.9512  loss 0.1234`."""
    return "  ".join(f"{name} {number(value)}" for name, value in values.items())


def best(entry: dict[str, Any] | None) -> str:
    """A best epoch: `val_accuracy 0.9512 (epoch 7)`; `` for None."""
    if not entry:
        return ""
    return f"{entry['metric']} {number(entry['value'])} (epoch {entry['epoch']})"


def event_line(event: dict[str, Any], epochs: int = 0) -> str:
    """An event as one line; `` for those that only move a progress bar."""
    kind = event["event"]
    if kind == "epoch_end":
        of = f"/{epochs}" if epochs else ""
        speed = event.get("images_per_second")
        return "  ".join(
            part
            for part in (
                f"epoch {event['epoch']}{of}",
                metrics(event.get("metrics") or {}),
                f"{speed:,.0f} images/s" if speed else "",
                duration(event.get("seconds")),
            )
            if part
        )
    if kind == "warning":
        return f"warning: {event.get('message', '')}"
    if kind == "resume":
        return f"resumed after epoch {event.get('epoch')}"
    if kind == "evaluation":
        return f"evaluation: {metrics(event.get('metrics') or {})}"
    if kind == "run_end" and event.get("state") != "finished":
        reason = event.get("reason")
        return f"{event.get('state')}{f': {reason}' if reason else ''}"
    return ""


def what_next(state: str, run_id: str, path: Any) -> str:
    """What to do about a run that ended in `state`; `` when there is nothing."""
    return _AT_THE_END.get(state, "").format(id=run_id, path=path)
