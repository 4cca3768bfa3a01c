"""Facts and layer tables of networks and of model files."""

from pathlib import Path
from typing import Any

from cnnblocks.engine.registry import Context, method


@method("networks.list")
def list_facts(context: Context) -> list[dict]:
    """The facts of every registered network, and the smallest image it takes."""
    from cnnblocks import networks

    specs = [networks.get(name) for name in networks.list_networks()]
    return [{**spec.to_json(), "min_size": spec.min_size()} for spec in specs]


@method("networks.summary")
def summarize_network(
    context: Context,
    network: str,
    input_shape: list[int] | None = None,
    num_classes: int = 10,
    batch_size: int = 1,
    network_args: dict[str, Any] | None = None,
) -> dict:
    """The layer table of a network, made without the weights' values."""
    from cnnblocks import analysis, networks

    shape = tuple(input_shape) if input_shape else None
    arguments = {"input_shape": shape, "num_classes": num_classes, **(network_args or {})}
    model = networks.outline(network, **arguments)
    return analysis.summarize(model, batch_size=batch_size).to_json()


@method("models.summary")
def summarize_model(context: Context, model: str, batch_size: int = 1) -> dict:
    """The layer table of a model file (`.keras` or `.h5`), or of a run's network."""
    from cnnblocks import analysis

    if not Path(model).is_dir():
        return analysis.summarize_file(model, batch_size=batch_size).to_json()
    from cnnblocks.runs import RunDirectory
    from cnnblocks.training.config import TrainingConfig
    from cnnblocks.training.preparation import build_model

    config = TrainingConfig.from_dict(RunDirectory.open(Path(model)).config)
    network = build_model(config, outline=True)
    return analysis.summarize(network, batch_size=batch_size).to_json()
