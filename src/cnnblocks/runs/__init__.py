"""Training runs as directories of files: found, watched, steered and started without Keras."""

from cnnblocks.runs.checkpoints import Checkpoint, list_checkpoints
from cnnblocks.runs.directory import RunDirectory, list_runs, resolve
from cnnblocks.runs.errors import NewerSchemaError, RunBusyError, RunError, RunNotFoundError
from cnnblocks.runs.events import EventTail, EventWriter, follow_events, read_events
from cnnblocks.runs.files import SCHEMA, read_json, replacing, write_json, write_text
from cnnblocks.runs.history import forget_epochs, read_history, record_epoch
from cnnblocks.runs.listing import RunLister, RunSummary
from cnnblocks.runs.places import runs_directory, state_directory, user_directories
from cnnblocks.runs.session import TrainingSession
from cnnblocks.runs.status import ACTIVE, STATES, Status

__all__ = [
    "ACTIVE",
    "SCHEMA",
    "STATES",
    "Checkpoint",
    "EventTail",
    "EventWriter",
    "NewerSchemaError",
    "RunBusyError",
    "RunDirectory",
    "RunError",
    "RunLister",
    "RunNotFoundError",
    "RunSummary",
    "Status",
    "TrainingSession",
    "follow_events",
    "forget_epochs",
    "list_checkpoints",
    "list_runs",
    "read_events",
    "read_history",
    "read_json",
    "record_epoch",
    "replacing",
    "resolve",
    "runs_directory",
    "state_directory",
    "user_directories",
    "write_json",
    "write_text",
]
