"""On which devices a network is trained."""

import os
import re
import shutil
import subprocess
from contextlib import suppress

from cnnblocks.backend import import_keras
from cnnblocks.training.errors import DeviceError

_PATTERN = re.compile(r"auto|cpu|all|gpu(:\d+(,\d+)*)?")
_VISIBLE = "CUDA_VISIBLE_DEVICES"
_found: list[str | None] = []
"""What CUDA showed before this process narrowed it, once it has."""

_HOW_TO_INSTALL = {
    "tensorflow": "pip install 'cnnblocks[gpu]'",
    "jax": "pip install 'jax[cuda12]'",
    "torch": "pip install torch --index-url https://download.pytorch.org/whl/cu128",
}


def check(device: str) -> str:
    """Return `device` if it is one of `auto`, `cpu`, `gpu`, `gpu:0,1` and `all`.

    Raises:
        DeviceError: It is not.
    """
    if not _PATTERN.fullmatch(device):
        raise DeviceError(
            "The device must be auto, cpu, gpu, all, or numbered GPUs such as gpu:0,1. "
            f"Received: {device!r}"
        )
    return device


def use(device: str, backend: str) -> list[str]:
    """Let the backend see the devices asked for, and only them.

    It imports Keras, and is best called before anything else does: CUDA settles what it sees when
    it starts. GPU memory then grows as it is needed, instead of being taken whole.

    Args:
        device: `"auto"` for one GPU, or the CPU where there is none; `"cpu"`; `"gpu"` for one
            GPU; `"gpu:0,1"` for some by number; `"all"` for every GPU, or the CPU.
        backend: Keras' backend.

    Returns:
        Names of the devices, such as `["gpu:0", "gpu:1"]`.

    Raises:
        DeviceError: A GPU was asked for and is not there; the message says what was found.
    """
    show(device, backend)
    if device == "cpu":
        return ["cpu:0"]
    wanted = _wanted(device)
    found = _gpus(backend)
    if device.startswith("gpu") and len(found) < len(wanted or []):
        raise DeviceError(_what_was_found(device, backend, found))
    return found or ["cpu:0"]


def show(device: str, backend: str) -> None:
    """Settle what the backend will see, import Keras, and compute nothing yet; see `use`."""
    check(device)
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    restore()
    wanted = _wanted(device)
    if wanted is not None:
        _show_only(wanted)
    if backend == "torch" and device == "cpu":
        # Keras takes Apple's GPU wherever there is one.
        os.environ.setdefault("KERAS_TORCH_DEVICE", "cpu")
    import_keras(backend)
    if device == "cpu":
        _leave_gpus_alone(backend)


def restore() -> None:
    """Let processes that are started from here on see the GPUs that this one found."""
    if not _found:
        return
    earlier = _found.pop()
    if earlier is None:
        os.environ.pop(_VISIBLE, None)
    else:
        os.environ[_VISIBLE] = earlier


def make_deterministic(backend: str) -> None:
    """Have the backend use kernels that give the same result every time, on a GPU too.

    Call it before `use`. On the CPU they do so anyway, as long as the number of threads stays.
    """
    if backend == "jax":
        flags = os.environ.get("XLA_FLAGS", "")
        os.environ["XLA_FLAGS"] = f"{flags} --xla_gpu_deterministic_ops=true".strip()
        return
    import_keras(backend)
    if backend == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()
        return
    import torch

    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True)


def _wanted(device: str) -> list[int] | None:
    """Numbers of the GPUs to show; `None` for all."""
    if device == "all":
        return None
    if device == "cpu":
        return []
    numbers = device.partition(":")[2]
    return [int(number) for number in numbers.split(",")] if numbers else [0]


def _show_only(numbers: list[int]) -> None:
    """Narrow what CUDA shows; a scheduler may have narrowed it before."""
    shown = os.environ.get(_VISIBLE)
    _found.append(shown)
    names = [name for name in (shown or "").split(",") if name not in ("", "-1")]
    if shown is not None:
        chosen = [names[number] for number in numbers if number < len(names)]
    else:
        chosen = [str(number) for number in numbers]
    os.environ[_VISIBLE] = ",".join(chosen) or "-1"


def _leave_gpus_alone(backend: str) -> None:
    if backend == "tensorflow":
        import tensorflow as tf

        # Fails when TensorFlow has started already; then it is too late to change its mind.
        with suppress(RuntimeError):
            tf.config.set_visible_devices([], "GPU")
    elif backend == "jax":
        import jax

        jax.config.update("jax_platforms", "cpu")


def _gpus(backend: str) -> list[str]:
    if backend == "tensorflow":
        import tensorflow as tf

        gpus = tf.config.list_physical_devices("GPU")
        for gpu in gpus:
            with suppress(RuntimeError):
                tf.config.experimental.set_memory_growth(gpu, True)
        count = len(gpus)
    elif backend == "jax":
        import jax

        count = sum(entry.platform in ("gpu", "cuda", "rocm") for entry in jax.local_devices())
    else:
        import torch

        count = torch.cuda.device_count()
    return [f"gpu:{number}" for number in range(count)]


def _what_was_found(device: str, backend: str, found: list[str]) -> str:
    seen = f"{backend} sees {len(found)} GPUs" if found else f"{backend} sees no GPU"
    return (
        f"--device {device}: {seen}; {_driver_report()}. Train on the CPU with --device cpu, or "
        f"install {backend} with its CUDA libraries: {_HOW_TO_INSTALL[backend]}"
    )


def _driver_report() -> str:
    if shutil.which("nvidia-smi") is None:
        return "no NVIDIA driver is installed (there is no nvidia-smi)"
    listing = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False)
    gpus = [line.split(" (UUID")[0] for line in listing.stdout.splitlines() if line]
    if listing.returncode or not gpus:
        return f"nvidia-smi finds none ({listing.stdout.strip() or listing.stderr.strip()})"
    return f"the NVIDIA driver has {', '.join(gpus)}"


def free_memory(backend: str) -> int:
    """Bytes that are free on the first GPU; 0 where the backend does not tell."""
    if backend == "torch":
        import torch

        return torch.cuda.mem_get_info()[0]
    if backend == "jax":
        import jax

        found = jax.local_devices()[0].memory_stats() or {}
        return found.get("bytes_limit", 0) - found.get("bytes_in_use", 0)
    return 0


def memory() -> list[dict[str, float | str]]:
    """Use and memory of the NVIDIA GPUs of this machine; empty when they cannot be read.

    Returns:
        For each GPU its `name`, `use` (0 to 1) and `memory` (0 to 1).
    """
    try:
        import pynvml

        pynvml.nvmlInit()
        return [_reading(pynvml, number) for number in range(pynvml.nvmlDeviceGetCount())]
    except Exception:
        # No library, driver or GPU, or one that is shared out and does not tell: training goes on.
        return []


def _reading(pynvml, number: int) -> dict[str, float | str]:
    handle = pynvml.nvmlDeviceGetHandleByIndex(number)
    memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
    name = pynvml.nvmlDeviceGetName(handle)
    return {
        "name": name.decode() if isinstance(name, bytes) else name,
        "use": pynvml.nvmlDeviceGetUtilizationRates(handle).gpu / 100,
        "memory": memory.used / memory.total,
    }
