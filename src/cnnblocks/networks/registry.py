"""The registry of networks: one function with one decorator is all that a new network needs."""

import functools
import inspect
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Any, Protocol

import keras

from cnnblocks.networks.assembly import Body, assemble
from cnnblocks.networks.errors import NetworkError, keras_reason
from cnnblocks.networks.sizes import min_size, size_reason, without_values

_COMMON_ARGUMENTS = """\
    input_shape: Height, width and channels of one image, in the order of `data_format`. Height
        and width may be `None` where no layer flattens them. Defaults to the native shape,
        `{native}` with channels last.
    num_classes: Number of classes.
    include_top: Whether to include the classifier. Without it the output is the last feature
        map, pooled as `pooling` says.
    pooling: With `include_top=False`: `"avg"` or `"max"` to pool the last feature map over
        height and width, `None` to leave it as it is.
    classifier_activation: Activation of the output: a name, a function, or `None` for logits.
    weights: Path of a weight file to load, in any format that `cnnblocks.load_weights` reads;
        `None` for random initialization.
    data_format: `"channels_last"` or `"channels_first"`, saved with the model. Defaults to
        `keras.config.image_data_format()`.
    dtype: Dtype or dtype policy of every layer; under a mixed policy the classifier alone
        computes in float32. Defaults to `keras.config.dtype_policy()`.
    name: Name of the model.
"""

_ENDING = """

Returns:
    A functional `keras.Model`.

Raises:
    NetworkError: An argument does not fit, such as an image too small for the network; the
        message names the smallest that works.

Example:

    >>> from cnnblocks.networks import {function}
    >>> {function}(num_classes=7).output_shape
    (None, 7)

Reference:
    - [{title}]({url}), {authors}, {year}
"""


@dataclass(frozen=True)
class Paper:
    """Where a network comes from: title, authors, year and address."""

    title: str
    authors: str
    year: int
    url: str


class NetworkFunction(Protocol):
    """A function that builds one network, as those of `keras.applications` do."""

    __name__: str

    def __call__(
        self,
        input_shape: tuple[int | None, int | None, int | None] | None = None,
        num_classes: int = 10,
        include_top: bool = True,
        pooling: str | None = None,
        classifier_activation: Any = "softmax",
        weights: Any = None,
        data_format: str | None = None,
        dtype: Any = None,
        name: str = ...,
        **network_args: Any,
    ) -> keras.Model: ...


@dataclass(frozen=True)
class NetworkSpec:
    """A registered network and its facts.

    Attributes:
        name: Name in the registry.
        build: The function that builds it, such as `cnnblocks.networks.LeNet5`.
        family: Networks of one family stand together in a list.
        paper: Where it comes from.
        native_input_shape: Height, width and channels it was made for.
        input_range: Smallest and largest pixel value it expects.
        trained_on: What it was first trained on.
        parameters: Number of parameters at its native input shape with ten classes.
        idea: What is new about it, in one paragraph.
        arguments: The arguments of its own, beyond those all networks share, with their defaults.
    """

    name: str
    build: NetworkFunction
    family: str
    paper: Paper
    native_input_shape: tuple[int, int, int]
    input_range: tuple[float, float]
    trained_on: str
    parameters: int
    idea: str
    arguments: dict[str, Any]

    def min_size(self, **network_args: Any) -> int:
        """The smallest height and width of an image that the network takes.

        Found by trying sizes on the network's shapes; no weights are made.

        Args:
            **network_args: Arguments of the network's own, such as `stem="imagenet"`.

        Example:

            >>> from cnnblocks import networks
            >>> networks.get("alexnet8").min_size()
            21
        """
        return min_size(self.build, self.native_input_shape[-1], network_args)

    def to_json(self) -> dict[str, Any]:
        """The facts as a JSON object."""
        facts = asdict(self)
        del facts["build"]
        return {"schema": 1, "function": self.build.__name__, **facts}


_REGISTRY: dict[str, NetworkSpec] = {}


def network(
    name: str,
    *,
    family: str,
    paper: Paper,
    native_input_shape: tuple[int, int, int],
    trained_on: str,
    parameters: int,
    idea: str,
    input_range: tuple[float, float] = (0.0, 1.0),
) -> Callable[[Callable[..., Any]], NetworkFunction]:
    """Register a network under `name`.

    The decorated function gets the images as a symbolic tensor, a `Frame` with the caller's
    choices, and the network's own arguments, keyword only; it returns the output. What it becomes
    takes the arguments that all networks share and its own, and returns a `keras.Model`.

    Args:
        name: Name in the registry and of the model.
        family: Networks of one family stand together in a list.
        paper: Where it comes from.
        native_input_shape: Height, width and channels it was made for.
        trained_on: What it was first trained on.
        parameters: Number of parameters at that input shape with ten classes.
        idea: What is new about it, in one paragraph.
        input_range: Smallest and largest pixel value it expects.

    Raises:
        NetworkError: The name is taken.

    Example:

        >>> import cnnblocks
        >>> from cnnblocks.networks import Paper, network
        >>> from keras import layers
        >>> @network(
        ...     "one_layer",
        ...     family="Examples",
        ...     paper=Paper("Nothing yet", "N. N.", 2026, "https://example.org"),
        ...     native_input_shape=(8, 8, 1),
        ...     trained_on="nothing",
        ...     parameters=130,
        ...     idea="One convolution and a classifier.",
        ... )
        ... def OneLayer(x, frame, *, filters=6):
        ...     '''One convolution.
        ...
        ...     Args:
        ...         filters: Channels of the convolution.
        ...     '''
        ...     x = layers.Conv2D(filters, 3, name="stage1_conv", **frame.spatial)(x)
        ...     if frame.include_top:
        ...         x = frame.classifier(frame.global_pool(x))
        ...     return x
        >>> cnnblocks.create("one_layer").count_params()
        130
    """

    def register(body: Callable[..., Any]) -> NetworkFunction:
        if name in _REGISTRY:
            raise NetworkError(f"There is a network named {name!r} already. Choose another name.")
        build = _network_function(body, name)
        build.__doc__ = _documentation(body, native_input_shape, paper)
        _REGISTRY[name] = NetworkSpec(
            name=name,
            build=build,
            family=family,
            paper=paper,
            native_input_shape=native_input_shape,
            input_range=input_range,
            trained_on=trained_on,
            parameters=parameters,
            idea=" ".join(idea.split()),
            arguments={key: own.default for key, own in _own_parameters(body).items()},
        )
        return build

    return register


def get(name: str) -> NetworkSpec:
    """Return the facts of a registered network.

    Raises:
        NetworkError: No network has this name; the message names the nearest.

    Example:

        >>> from cnnblocks import networks
        >>> networks.get("lenet5").paper.year
        1998
    """
    if name in _REGISTRY:
        return _REGISTRY[name]
    close = get_close_matches(str(name).lower(), _REGISTRY, n=2)
    hint = (
        f"Did you mean {_either(close)}?" if close else f"There are {', '.join(list_networks())}."
    )
    raise NetworkError(f"No network is named {name!r}. {hint}")


def list_networks(pattern: str = "*") -> list[str]:
    """Return the names of the registered networks in natural order.

    Args:
        pattern: Shell-style wildcards, such as `"vgg*"`; upper and lower case are the same.

    Example:

        >>> import cnnblocks
        >>> cnnblocks.list_networks("vgg1?")
        ['vgg11', 'vgg13', 'vgg16', 'vgg19']
    """
    names = [name for name in _REGISTRY if fnmatchcase(name.lower(), pattern.lower())]
    return sorted(names, key=_natural_order)


def create(
    name: str,
    input_shape: tuple[int | None, int | None, int | None] | None = None,
    num_classes: int = 10,
    include_top: bool = True,
    pooling: str | None = None,
    classifier_activation: Any = "softmax",
    weights: Any = None,
    data_format: str | None = None,
    dtype: Any = None,
    **network_args: Any,
) -> keras.Model:
    """Build a registered network.

    Args:
        name: Name of the network; `cnnblocks.list_networks()` lists them.
        input_shape: Height, width and channels of one image, in the order of `data_format`. Height
            and width may be `None` where no layer flattens them. Defaults to the network's native
            shape.
        num_classes: Number of classes.
        include_top: Whether to include the classifier. Without it the output is the last feature
            map, pooled as `pooling` says.
        pooling: With `include_top=False`: `"avg"` or `"max"` to pool the last feature map over
            height and width, `None` to leave it as it is.
        classifier_activation: Activation of the output: a name, a function, or `None` for logits.
        weights: Path of a weight file to load, in any format that `cnnblocks.load_weights` reads;
            `None` for random initialization.
        data_format: `"channels_last"` or `"channels_first"`, saved with the model. Defaults to
            `keras.config.image_data_format()`.
        dtype: Dtype or dtype policy of every layer; under a mixed policy the classifier alone
            computes in float32. Defaults to `keras.config.dtype_policy()`.
        **network_args: Arguments of the network's own, such as `width=0.5`;
            `cnnblocks.networks.get(name).arguments` lists them.

    Returns:
        A functional `keras.Model` named `name`.

    Raises:
        NetworkError: The network or one of its arguments is unknown, or an argument does not fit,
            such as an image too small for the network; the message names the smallest that works.

    Example:

        >>> import cnnblocks
        >>> cnnblocks.create("lenet5", input_shape=(28, 28, 1)).count_params()
        44426
    """
    return get(name).build(
        input_shape=input_shape,
        num_classes=num_classes,
        include_top=include_top,
        pooling=pooling,
        classifier_activation=classifier_activation,
        weights=weights,
        data_format=data_format,
        dtype=dtype,
        **network_args,
    )


def outline(name: str, **arguments: Any) -> keras.Model:
    """Build a registered network with shapes and names but without the weights' values.

    It takes no memory for weights, so it is the quick way to the shapes and parameters of a large
    network. It cannot compute; use `create` for that.

    Args:
        name: Name of the network.
        **arguments: As for `create`, without `weights`.

    Raises:
        NetworkError: As `create`.

    Example:

        >>> from cnnblocks import networks
        >>> networks.outline("vgg11").count_params()
        128806154
    """
    arguments["dtype"] = arguments.get("dtype") or keras.config.dtype_policy()
    return without_values(get(name).build, **arguments)


def _network_function(body: Body, name: str) -> NetworkFunction:
    own = _own_parameters(body)
    signature = _full_signature(name, own)

    def build(*args: Any, **kwargs: Any) -> keras.Model:
        common = _bound_arguments(name, signature, args, kwargs)
        network_args = {key: common.pop(key) for key in own}
        weights = common.pop("weights")
        if common["input_shape"] is None:
            common["input_shape"] = _native_shape(name, common["data_format"])
        try:
            model = assemble(body, network_args, **common)
        except NetworkError:
            raise
        except (TypeError, ValueError) as error:
            shape, data_format = common["input_shape"], common["data_format"]
            reason = size_reason(build, network_args, shape, data_format) or keras_reason(error)
            raise NetworkError(f"{name} cannot be built. {reason}") from error
        if weights is not None:
            from cnnblocks.weights import load_weights

            load_weights(model, weights)
        return model

    functools.update_wrapper(build, body, assigned=("__module__", "__name__", "__qualname__"))
    build.__signature__ = signature  # type: ignore[attr-defined]
    return build


def _own_parameters(body: Body) -> dict[str, inspect.Parameter]:
    parameters = inspect.signature(body).parameters
    return {
        name: parameter
        for name, parameter in parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }


def _full_signature(name: str, own: dict[str, inspect.Parameter]) -> inspect.Signature:
    """The arguments that all networks share, then a network's own."""
    shared = inspect.signature(NetworkFunction.__call__).parameters.values()
    parameters = [*shared][1:-1]
    parameters[-1] = parameters[-1].replace(default=name)
    return inspect.Signature([*parameters, *own.values()], return_annotation=keras.Model)


def _bound_arguments(
    name: str, signature: inspect.Signature, args: tuple, kwargs: dict[str, Any]
) -> dict[str, Any]:
    for argument in kwargs:
        if argument not in signature.parameters:
            raise NetworkError(_unknown_argument(name, argument, list(signature.parameters)))
    bound = signature.bind(*args, **kwargs)
    bound.apply_defaults()
    return bound.arguments


def _unknown_argument(name: str, argument: str, known: list[str]) -> str:
    close = get_close_matches(argument, known, n=1)
    hint = f"Did you mean {_either(close)}?" if close else f"It takes {', '.join(known)}."
    return f"{name} takes no argument {argument!r}. {hint}"


def _native_shape(name: str, data_format: str | None) -> tuple[int, int, int]:
    height, width, channels = get(name).native_input_shape
    if (data_format or keras.config.image_data_format()) == "channels_first":
        return channels, height, width
    return height, width, channels


def _documentation(body: Body, native_input_shape: tuple[int, int, int], paper: Paper) -> str:
    """The docstring of `body` with what all networks share put in its place."""
    start, args, own = inspect.cleandoc(body.__doc__ or "").partition("Args:\n")
    common = _COMMON_ARGUMENTS.format(native=native_input_shape)
    ending = _ENDING.format(function=body.__name__, **asdict(paper))
    return start + args + common + own + ending


def _either(names: list[str]) -> str:
    return " or ".join(map(repr, names))


def _natural_order(name: str) -> list[Any]:
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]
