"""What this machine can train on, and how busy it is."""

import os

import psutil

from cnnblocks.engine.registry import Context, method


@method("devices")
def list_devices(context: Context) -> dict:
    """The processor, the memory and the GPUs, each with its share in use (0 to 1)."""
    from cnnblocks.training import devices

    memory = psutil.virtual_memory()
    return {
        "cpu": {"cores": os.cpu_count(), "use": psutil.cpu_percent(interval=0.1) / 100},
        "memory": {"bytes": memory.total, "use": memory.percent / 100},
        "gpus": devices.memory(),
    }
