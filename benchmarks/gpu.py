"""Training speed on a GPU: every network of ours against the same network in plain PyTorch.

Needs no network and no TensorFlow: JAX or PyTorch as Keras' backend, PyTorch for the peers. Each
measurement is a process of its own, so that one backend's memory is not in the other's way.

    python benchmarks/gpu.py --backends jax torch          # on a GPU machine
    python benchmarks/gpu.py --smoke                       # the same path, tiny, on any machine

Printed for each network, at its own and at 224 pixels, in float32 and bfloat16: images a second of
`cnnblocks train`'s steps with the data on the device, its share of the matrix peak measured here,
and the peer's images a second (channels_last, autocast to bfloat16, `torch.compile`).
"""

import argparse
import json
import os
import subprocess
import sys
import time

import numpy as np
import report

MULTIPLY_ADDS = 3  # a training step: forward, gradient by inputs, gradient by weights
PRECISIONS = {"float32": "float32", "bfloat16": "mixed_bfloat16"}
SMALL = 64  # up to this size in pixels, the larger batch fits every network


def torch_device():
    import torch

    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def synchronize():
    import torch

    if torch.cuda.is_available():
        torch.cuda.synchronize()


def peaks(smoke):
    """Floating-point operations a second of large matrix products, and bytes a second of a copy."""
    import torch

    device = torch_device()
    size, repeats = (512, 2) if smoke else (8192, 20)
    found = {}
    torch.backends.cuda.matmul.allow_tf32 = True
    for name, dtype in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        a, b = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
        for _ in range(3):
            a @ b
        synchronize()
        start = time.perf_counter()
        for _ in range(repeats):
            a @ b
        synchronize()
        found[name] = repeats * 2 * size**3 / (time.perf_counter() - start)
    block = torch.randn((2**20 if smoke else 2**30), device=device)
    target = torch.empty_like(block)
    target.copy_(block)
    synchronize()
    start = time.perf_counter()
    for _ in range(repeats):
        target.copy_(block)
    synchronize()
    found["bandwidth"] = repeats * 2 * block.nbytes / (time.perf_counter() - start)
    return found


def fixed_batch(shape, batch):
    generator = np.random.default_rng(0)
    images = generator.random((batch, *shape), np.float32)
    return images, generator.integers(0, 10, batch).astype(np.int32)


def measure_ours(network, shape, precision, batch, steps):
    """Images a second of our network's training step, several steps to a call."""
    import keras

    from cnnblocks import create

    keras.config.set_dtype_policy(PRECISIONS[precision])
    model = create(network, input_shape=shape)
    model.compile(
        keras.optimizers.SGD(0.01, momentum=0.9),
        "sparse_categorical_crossentropy",
        jit_compile=keras.config.backend() != "torch" or steps > 4,
    )
    images, labels = map(keras.ops.convert_to_tensor, fixed_batch(shape, batch))
    return batch * _steps_per_second(model, images, labels, steps)


def _steps_per_second(model, images, labels, steps):
    import keras

    marks = []

    def batches(count):
        for _ in range(count):
            yield images, labels

    class Clock(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch in (2, steps + 2):
                float(logs["loss"])  # waits for the device
                marks.append(time.perf_counter())

    model.fit(batches(steps + 3), steps_per_epoch=steps + 3, callbacks=[Clock()], verbose=0)
    return steps / (marks[1] - marks[0])


def measure_peer(network, shape, precision, batch, steps):
    """Images a second of the same network in PyTorch."""
    import torch
    from torch_networks import TORCH

    device = torch_device()
    images, labels = fixed_batch(shape, batch)
    images = torch.from_numpy(images).permute(0, 3, 1, 2).to(device)
    images = images.to(memory_format=torch.channels_last)
    labels = torch.from_numpy(labels.astype(np.int64)).to(device)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = True
    model = TORCH[network]().to(device)
    with torch.no_grad():
        model(images[:2])
    model = model.to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), 0.01, momentum=0.9)
    compiled = torch.compile(model) if steps > 4 else model

    def step():
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16"):
            outputs = compiled(images)
        torch.nn.functional.cross_entropy(outputs.float(), labels).backward()
        optimizer.step()

    for _ in range(3):
        step()
    synchronize()
    start = time.perf_counter()
    for _ in range(steps):
        step()
    synchronize()
    return batch * steps / (time.perf_counter() - start)


MEASURES = {"ours": measure_ours, "peer": measure_peer}


def run(kind, backend, *arguments):
    """Measure in a process of its own; the reason instead of a figure where it fails."""
    environment = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    environment.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    command = [sys.executable, __file__, "--measure", kind, json.dumps(arguments)]
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    if result.returncode:
        lines = result.stderr.strip().splitlines() or [f"exit status {result.returncode}"]
        return lines[-1][:80]
    return json.loads(result.stdout.splitlines()[-1])


def facts(names):
    """Native shape, smallest size and multiply-adds for each network and size, in one process."""
    from cnnblocks import analysis, networks

    found = []
    for name in names:
        spec = networks.get(name)
        own = spec.native_input_shape
        for shape in dict.fromkeys([own, (224, 224, own[2])]):
            model = networks.outline(name, input_shape=shape)
            found.append((name, shape, analysis.summarize(model).totals.multiply_adds))
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", help="default: every registered network")
    parser.add_argument("--backends", nargs="+", default=["jax", "torch"])
    parser.add_argument("--batch", type=int, default=1024, help="at small sizes; 128 at 224 pixels")
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--smoke", action="store_true", help="tiny sizes, for any machine")
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        kind, arguments = options.measure
        print(json.dumps(MEASURES[kind](*json.loads(arguments))))
        return
    os.environ.setdefault("KERAS_BACKEND", options.backends[0])
    from cnnblocks import list_networks

    peak = peaks(options.smoke)
    rows = []
    for name, shape, multiply_adds in facts(options.networks or list_networks()):
        small = max(shape[:2]) <= SMALL
        batch = 4 if options.smoke else options.batch if small else 128
        steps = 2 if options.smoke else options.steps
        if options.smoke and not small:
            continue
        for precision in PRECISIONS:
            peer = run("peer", "torch", name, shape, precision, batch, steps)
            for backend in options.backends:
                ours = run("ours", backend, name, shape, precision, batch, steps)
                measured = isinstance(ours, float)
                share = (
                    2 * MULTIPLY_ADDS * multiply_adds * ours / peak[precision] if measured else 0
                )
                ratio = ours / peer if measured and isinstance(peer, float) else "-"
                size = "x".join(map(str, shape))
                row = [name, size, precision, batch, backend, ours, f"{share:.1%}", peer, ratio]
                rows.append(row)
                print(*row, file=sys.stderr, flush=True)
    headers = ["network", "input", "precision", "batch", "backend", "cnnblocks images/s"]
    headers += ["share of matrix peak", "PyTorch images/s", "ours / PyTorch"]
    body = report.table(headers, rows)
    body += (
        f"\n\nMeasured peaks: float32 {peak['float32'] / 1e12:.3g} and bfloat16 "
        f"{peak['bfloat16'] / 1e12:.3g} TFLOP/s in a matrix product, "
        f"{peak['bandwidth'] / 1e12:.3g} TB/s in a copy."
    )
    report.write("gpu-smoke" if options.smoke else "gpu", "Training speed on a GPU", body)


if __name__ == "__main__":
    main()
