"""What `gpu.py` measures in processes of their own, each on one backend.

`python benchmarks/gpu_measure.py NAME ARGUMENTS`, the arguments as JSON, prints the result as JSON.
"""

import json
import sys
import time

import numpy as np

PRECISIONS = {"float32": "float32", "bfloat16": "mixed_bfloat16"}
IMAGENET_STEM = ("resnet18", "resnet34", "resnet50")
"""Networks that take images of 224 pixels as the paper has it, with a stem of stride 4 in all."""
LARGE = 224
BATCHES = 3  # the batch size is halved so often where the card's memory does not do


def network_args(name, shape):
    return {"stem": "imagenet"} if name in IMAGENET_STEM and shape[0] == LARGE else {}


def facts(names):
    """Shapes, multiply-adds, parameters and bytes of activations of each network and size."""
    from cnnblocks import analysis, networks

    found = []
    for name in names:
        own = networks.get(name).native_input_shape
        for shape in dict.fromkeys([own, (LARGE, LARGE, own[2])]):
            model = networks.outline(name, input_shape=shape, **network_args(name, shape))
            totals = analysis.summarize(model).totals
            found.append(
                {
                    "network": name,
                    "shape": shape,
                    "multiply_adds": totals.multiply_adds,
                    "parameters": totals.trainable_parameters,
                    "activations": totals.activation_bytes // 4,
                }
            )
    return found


def registered():
    """The names of all networks."""
    from cnnblocks import list_networks

    return list_networks()


def peaks(smoke):
    """The device, operations a second in large matrix products, bytes a second in a copy."""
    import torch

    device = torch_device()
    torch.backends.cuda.matmul.allow_tf32 = True
    size, repeats = (512, 2) if smoke else (8192, 20)
    found = {"device": torch.cuda.get_device_name() if device.type == "cuda" else "CPU"}
    for name, dtype in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        a, b = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
        found[name] = 2 * size**3 / _seconds(lambda a=a, b=b: a @ b, repeats)
    block = torch.randn(2**20 if smoke else 2**30, device=device)
    target = torch.empty_like(block)
    found["bandwidth"] = 2 * block.nbytes / _seconds(lambda: target.copy_(block), repeats)
    return found


def torch_device():
    import torch

    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _seconds(work, repeats):
    """Seconds of a piece of the device's work, on average."""
    import torch

    wait = torch.cuda.synchronize if torch.cuda.is_available() else lambda: None
    for _ in range(3):
        work()
    wait()
    start = time.perf_counter()
    for _ in range(repeats):
        work()
    wait()
    return (time.perf_counter() - start) / repeats


def ours(network, shapes, batches, steps, seconds):
    """Images a second of what `cnnblocks train` does: the data on the device, whole epochs."""
    return _grid(network, shapes, batches, lambda *case: _ours(*case, steps, seconds))


def peer(network, shapes, batches, steps, seconds):
    """Images a second of the same network in PyTorch."""
    return _grid(network, shapes, batches, lambda *case: _peer(*case, steps, seconds))


def _grid(network, shapes, batches, measure):
    rows = []
    for shape, batch in zip(shapes, batches, strict=True):
        for precision in PRECISIONS:
            row = {"network": network, "shape": shape, "precision": precision}
            rows.append(row | _largest_that_fits(measure, network, shape, precision, batch))
    return rows


def _largest_that_fits(measure, network, shape, precision, batch):
    for size in (batch >> halvings for halvings in range(BATCHES)):
        try:
            return {"batch": size, "images_per_second": measure(network, shape, precision, size)}
        except Exception as error:
            reason = f"{type(error).__name__}: {error}".splitlines()[0][:120]
            if "memory" not in reason.lower() and "RESOURCE_EXHAUSTED" not in reason:
                break
    return {"batch": size, "error": reason}


def _ours(network, shape, precision, batch, steps, seconds):
    import keras

    from cnnblocks import create
    from cnnblocks.data import Batches, Preprocessing, Split
    from cnnblocks.data.images import ArrayImages
    from cnnblocks.training.input import PlanStream
    from cnnblocks.training.resident import ResidentModel

    keras.utils.clear_session()
    generator = np.random.default_rng(0)
    pixels = generator.integers(0, 256, (batch * steps, *shape), np.uint8)
    labels = generator.integers(0, 10, len(pixels)).astype(np.int32)
    split = Split(ArrayImages(pixels), labels, list("0123456789"))
    stream = PlanStream(
        Batches(split, batch, preprocessing=Preprocessing(tuple(shape)), shuffle=True)
    )
    made = create(
        network,
        input_shape=tuple(shape),
        dtype=PRECISIONS[precision],
        **network_args(network, shape),
    )
    model = ResidentModel(made, stream.images, None)
    model.compile(
        keras.optimizers.SGD(0.001, momentum=0.9),
        "sparse_categorical_crossentropy",
        jit_compile=keras.config.backend() == "jax",
        steps_per_execution=1 if keras.config.backend() == "torch" else min(16, steps),
    )
    example = keras.ops.convert_to_tensor(labels[:batch])
    model.compute_loss(None, example, keras.ops.zeros((batch, 10)))
    return _epochs_per_second(model, stream, seconds) * batch * steps


def _epochs_per_second(model, stream, seconds):
    """From whole epochs of `fit`, whose end waits for the device."""
    model.fit(stream, shuffle=False, verbose=0)
    spent = []
    while not spent or sum(spent) < seconds:
        start = time.perf_counter()
        model.fit(stream, shuffle=False, verbose=0)
        spent.append(time.perf_counter() - start)
    return len(spent) / sum(spent)


def _peer(network, shape, precision, batch, steps, seconds):
    import torch
    from torch_networks import TORCH

    device = torch_device()
    torch.compiler.reset()
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = True
    images = torch.rand(batch, shape[2], *shape[:2], device=device)
    images = images.to(memory_format=torch.channels_last)
    labels = torch.randint(10, (batch,), device=device)
    model = TORCH[network](**network_args(network, shape)).to(device)
    with torch.no_grad():
        model(images[:2])
    model = model.to(memory_format=torch.channels_last)
    fused = {"fused": True} if device.type == "cuda" else {}
    optimizer = torch.optim.SGD(model.parameters(), 0.001, momentum=0.9, **fused)
    compiled = torch.compile(model) if device.type == "cuda" else model

    def step():
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16"):
            outputs = compiled(images)
        torch.nn.functional.cross_entropy(outputs.float(), labels).backward()
        optimizer.step()

    once = _seconds(step, steps)
    return batch / _seconds(step, max(steps, round(seconds / once)))


MEASURES = {entry.__name__: entry for entry in (facts, registered, peaks, ours, peer)}


if __name__ == "__main__":
    print(json.dumps(MEASURES[sys.argv[1]](*json.loads(sys.argv[2]))))
