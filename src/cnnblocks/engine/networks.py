"""Facts and layer tables of networks and of model files."""

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
