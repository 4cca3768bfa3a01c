"""Recipes: how a network is trained, as data.

A recipe holds everything that decides what is learned: optimizer, schedule, augmentation, loss,
what validates, which arguments the network is built with. It is a small frozen dataclass that goes
to JSON and TOML and back, so it can be shown, overridden, saved with a run and repeated.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from difflib import get_close_matches
from typing import Any

from cnnblocks.training.errors import RecipeError
from cnnblocks.training.precision import PRECISIONS

OPTIMIZERS = ("adam", "adamw", "sgd")
SCHEDULES = ("constant", "cosine", "one-cycle")
VALIDATIONS = ("holdout", "tail", "test", "none")
OUTPUTS = ("auto", "probabilities", "logits")
BEST_BY = ("val_loss", "val_accuracy", "loss", "accuracy")
RECIPES = ("default", "original", "speedrun")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a network is trained.

    Attributes:
        name: Where the values come from: one of `RECIPES`, or your own.
        epochs: Passes over the training images.
        batch_size: Images a step.
        precision: One of `cnnblocks.training.precision.PRECISIONS`, unless a training asks for
            another.
        input_shape: Height, width and channels of the network's input; `None` takes the data's own
            shape if the network can, else the network's native height and width.
        resize: How an image comes to that size; see `cnnblocks.data.Preprocessing`.
        scaling: How pixel values reach the network; see `cnnblocks.data.Preprocessing`.
        augmentation: Arguments of `cnnblocks.data.Augmentation`.
        drop_remainder: Whether an epoch leaves out its last batch if that is not full.
        validation: What the epochs are judged by: `"holdout"` sets a share of every class of the
            training images apart, `"tail"` their end, `"test"` reads the test images (as the
            courses did; the figure then is no estimate for new images), `"none"`.
        validation_split: The share that is set apart.
        optimizer: `"adam"`, `"adamw"` or `"sgd"`.
        learning_rate: The highest rate of the schedule.
        momentum: Of `"sgd"`.
        nesterov: Whether `"sgd"` looks ahead.
        schedule: `"constant"`; `"cosine"` falls to 0 along a half cosine after a linear warm-up
            from 0; `"one-cycle"` is that from a 25th of the rate.
        warmup: The share of all steps in which the rate rises.
        weight_decay: Decoupled decay of kernels; biases and normalisation are left alone.
        clip_norm: Highest norm of all gradients together; `None` leaves them.
        label_smoothing: Share of the target that is spread over all classes.
        ema: Momentum of a moving average of the weights, which then is what is validated and kept;
            `None` for none.
        class_weights: `"balanced"` weighs each class by the inverse of its share.
        classifier_activation: Of the network's output: `"softmax"`, `"sigmoid"` or `None`.
        outputs: What the loss takes the output for; `"auto"` is what fits the activation.
        network_args: Further arguments of the network.
        kernel_initializer: Draws the first values of all kernels, as `"he_normal"`; `"lsuv"` draws
            orthogonal ones and scales each to give sums of variance 1 on a batch of images
            (layer-sequential unit-variance, https://arxiv.org/abs/1511.06422); `None` leaves those
            of the network.
        head_bias: First value of the biases behind the last stage. Above 0 it keeps the classes of
            a head that ends in a ReLU, as NiN's, alive at the start.
        best_by: The metric that chooses the weights to keep.
        early_stopping: Epochs without improvement of `best_by` after which training ends.

    Raises:
        RecipeError: A value is not possible.

    Example:

        >>> Recipe(learning_rate=0.01, schedule="cosine").schedule
        'cosine'
    """

    name: str = "default"
    epochs: int = 15
    batch_size: int = 32
    precision: str = "float32"
    input_shape: tuple[int, int, int] | None = None
    resize: str = "stretch"
    scaling: str = "standardize"
    augmentation: dict[str, Any] = field(default_factory=dict)
    drop_remainder: bool = True
    validation: str = "holdout"
    validation_split: float = 0.1
    optimizer: str = "adamw"
    learning_rate: float = 1e-3
    momentum: float = 0.9
    nesterov: bool = True
    schedule: str = "one-cycle"
    warmup: float = 0.2
    weight_decay: float = 0.0
    clip_norm: float | None = None
    label_smoothing: float = 0.0
    ema: float | None = None
    class_weights: str | None = None
    classifier_activation: str | None = "softmax"
    outputs: str = "auto"
    network_args: dict[str, Any] = field(default_factory=dict)
    kernel_initializer: str | None = None
    head_bias: float = 0.0
    best_by: str = "val_loss"
    early_stopping: int | None = None

    def __post_init__(self) -> None:
        if self.input_shape is not None:
            object.__setattr__(self, "input_shape", tuple(self.input_shape))
        for name, (holds, expected) in _CHECKS.items():
            value = getattr(self, name)
            if not holds(value):
                raise RecipeError(f"{name} must be {expected}. Received: {name}={value!r}")

    @property
    def from_logits(self) -> bool:
        """Whether the loss takes the network's output for logits."""
        if self.outputs == "auto":
            return self.classifier_activation is None
        return self.outputs == "logits"

    def override(self, values: Mapping[str, Any]) -> "Recipe":
        """This recipe with other values for some of its fields.

        Args:
            values: From field names to values. `network_args` and `augmentation` are merged, so
                that one entry can be changed alone. TOML's `"none"` stands for `None`.

        Raises:
            RecipeError: There is no such field, or the value is not possible.
        """
        for name in values:
            _check_name(name)
        changes = {name: _read(name, value) for name, value in values.items()}
        for name in ("network_args", "augmentation"):
            if name in changes:
                if not isinstance(changes[name], dict):
                    raise RecipeError(
                        f"{name} must be a table of its entries. Received: {changes[name]!r}"
                    )
                changes[name] = {**getattr(self, name), **changes[name]}
        try:
            return replace(self, **changes)
        except TypeError as error:
            raise RecipeError(f"The recipe cannot be read: {error}") from None

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON can hold them."""
        values = asdict(self)
        values["input_shape"] = list(self.input_shape) if self.input_shape else None
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Recipe":
        """The recipe that `to_dict` described; missing fields take their defaults."""
        return cls().override(values)

    def to_toml(self) -> str:
        """The fields as a TOML file, which has `"none"` for `None`."""
        import tomlkit

        values = self.to_dict()
        return tomlkit.dumps({k: "none" if v is None else v for k, v in values.items()})


def _check_name(name: str) -> None:
    known = [entry.name for entry in fields(Recipe)]
    if name not in known:
        close = get_close_matches(name, known, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else f" It has: {', '.join(known)}."
        raise RecipeError(f"A recipe has no field {name!r}.{hint}")


def _read(name: str, value: Any) -> Any:
    return None if value == "none" and name in _OPTIONAL else value


_OPTIONAL = {entry.name for entry in fields(Recipe) if entry.default is None} | {
    "classifier_activation"
}


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _one_of(*choices: Any) -> tuple[Any, str]:
    return lambda v: v in choices, "one of " + ", ".join(map(str, choices))


_FLAG = (lambda v: isinstance(v, bool), "true or false")
_CHECKS: dict[str, tuple[Any, str]] = {
    "epochs": (lambda v: _whole(v) and v >= 1, "a whole number of at least 1"),
    "batch_size": (lambda v: _whole(v) and v >= 1, "a whole number of at least 1"),
    "precision": _one_of(*PRECISIONS),
    "input_shape": (
        lambda v: v is None or (len(v) == 3 and all(_whole(n) and n >= 1 for n in v)),
        "height, width and channels, all of at least 1",
    ),
    "resize": _one_of("stretch", "pad", "crop"),
    "scaling": _one_of("standardize", "0..1", "-1..1", "raw"),
    "drop_remainder": _FLAG,
    "validation": _one_of(*VALIDATIONS),
    "validation_split": (lambda v: _number(v) and 0 < v < 1, "between 0 and 1"),
    "optimizer": _one_of(*OPTIMIZERS),
    "learning_rate": (lambda v: _number(v) and 0 < v < float("inf"), "a number above 0"),
    "momentum": (lambda v: _number(v) and 0 <= v < 1, "at least 0 and below 1"),
    "nesterov": _FLAG,
    "schedule": _one_of(*SCHEDULES),
    "warmup": (lambda v: _number(v) and 0 <= v < 1, "at least 0 and below 1"),
    "weight_decay": (lambda v: _number(v) and v >= 0, "a number of at least 0"),
    "clip_norm": (lambda v: v is None or (_number(v) and v > 0), "a number above 0, or none"),
    "label_smoothing": (lambda v: _number(v) and 0 <= v < 1, "at least 0 and below 1"),
    "ema": (lambda v: v is None or (_number(v) and 0 < v < 1), "between 0 and 1, or none"),
    "class_weights": _one_of(None, "balanced"),
    "classifier_activation": _one_of("softmax", "sigmoid", None),
    "outputs": _one_of(*OUTPUTS),
    "augmentation": (lambda v: isinstance(v, dict), "a table"),
    "network_args": (lambda v: isinstance(v, dict), "a table"),
    "kernel_initializer": _one_of(
        None, "glorot_uniform", "he_normal", "he_uniform", "orthogonal", "lsuv"
    ),
    "head_bias": (_number, "a number"),
    "best_by": _one_of(*BEST_BY),
    "early_stopping": (
        lambda v: v is None or (_whole(v) and v >= 1),
        "a whole number of at least 1, or none",
    ),
}


def recipe(
    network: str,
    name: str = "default",
    *,
    images: int = 50_000,
    size: int = 32,
    mirrored: bool = False,
) -> Recipe:
    """The recipe of a network.

    Args:
        network: A registered network, such as `"lenet5"`.
        name: `"default"`, ours; `"original"`, what the courses and articles that the network
            comes from did, flaws included; or `"speedrun"`, CIFAR-10 to a given accuracy in the
            least time on a GPU.
        images: How many training images there are; `"default"` depends on it.
        size: Height of the network's input; `"default"` augments large images more.
        mirrored: Whether an image's mirror image is another of its class, as with photos and
            unlike digits: `"default"` then mirrors, if there are many images; see
            `may_be_mirrored`.

    Returns:
        A `Recipe`; change it with `override`.

    Raises:
        RecipeError: There is no such recipe, or none of that name for the network.

    Example:

        >>> recipe("lenet5", "original").optimizer
        'adam'
    """
    if name == "default":
        return _default(network, images, size, mirrored)
    if name == "original":
        return _original(network, size)
    if name == "speedrun":
        return _speedrun(network)
    raise RecipeError(f"The recipe must be one of {', '.join(RECIPES)}. Received: {name!r}")


def may_be_mirrored(channels: int, class_names: Sequence[str]) -> bool:
    """Whether images can be taken for photos, which are as good when mirrored.

    Grey images seldom are photos, and classes named by a digit or a letter are what they are
    because they are not mirrored.

    Example:

        >>> may_be_mirrored(3, ["cat", "dog"]), may_be_mirrored(3, ["0", "1", "2"])
        (True, False)
    """
    return channels == 3 and not all(len(name) == 1 for name in class_names)


_PLAIN = {"alexnet", "vgg11", "vgg11_small", "googlenet"}
"""Networks without normalisation, which need more care at the start."""

_NORMALISED = {
    "alexnet8",
    "baseline",
    "inception10",
    "resnet9",
    "resnet18",
    "resnet34",
    "resnet50",
    "vgg13",
    "vgg16",
    "vgg19",
}
"""Networks with normalisation, whose moving statistics must settle within the training."""

_SIGMOID = {"lenet", "lenet5"}

_MOMENTUM = {
    "optimizer": "sgd",
    "learning_rate": 0.1,
    # Decoupled, so it is to be ten times what it is where momentum adds it up: 5e-4 there.
    "weight_decay": 5e-3,
    "label_smoothing": 0.1,
}
"""What learns the normalised networks named beside it best from many images."""

_WITH_MOMENTUM = {"resnet9", "resnet18", "resnet34", "resnet50"}


def _default(network: str, images: int, size: int, mirrored: bool) -> Recipe:
    small = images < 10_000
    base = Recipe(
        epochs=15 if small else 10,
        batch_size=32 if small else 128,
        augmentation={"shift": size // 16 if small else size // 8},
        learning_rate=2e-3,
        weight_decay=0.01,
    )
    if mirrored and not small and network not in _SIGMOID:
        base = base.override({"augmentation": {"flip": True}})
    if network in _SIGMOID:
        return base.override({"learning_rate": 0.01, "weight_decay": 0.0})
    if network == "nin":
        # Its scores end in a ReLU, and what dies there stays dead: Adam's steps kill most of it.
        return base.override(
            {
                "optimizer": "sgd",
                "learning_rate": 0.03,
                "clip_norm": 1.0,
                "kernel_initializer": "lsuv",
                "head_bias": 2.0,
                "network_args": {"dropout": 0.0},
            }
        )
    if network in _PLAIN:
        care = {"learning_rate": 5e-4, "clip_norm": 1.0, "kernel_initializer": "he_normal"}
        return base.override(care)
    if network in _NORMALISED and small:
        return base.override({"network_args": {"batch_norm_momentum": 0.9}})
    if network in _WITH_MOMENTUM:
        return base.override(_MOMENTUM)
    return base


def _original(network: str, size: int) -> Recipe:
    if network not in _ORIGINAL:
        raise RecipeError(
            f"{network} has no recipe 'original', since no course trained it. It is there for: "
            f"{', '.join(sorted(_ORIGINAL))}."
        )
    found = _COURSE.override({"name": "original", **_ORIGINAL[network]})
    if network == "inception10" and size == _FASHION_MNIST:
        return found.override({"batch_size": 32})
    return found


_FASHION_MNIST = 28
"""The size of those images; Inception-10 was trained on them in smaller batches."""

_COURSE = Recipe(
    epochs=5,
    batch_size=32,
    scaling="0..1",
    drop_remainder=False,
    validation="test",
    optimizer="adam",
    learning_rate=1e-3,
    schedule="constant",
    warmup=0.0,
    nesterov=False,
)
_ENLARGED = {"input_shape": (224, 224, 1), "batch_size": 128, "validation": "none"}
_SGD = {"optimizer": "sgd", "momentum": 0.0}
_ORIGINAL: dict[str, dict[str, Any]] = {
    "lenet": {
        **_SGD,
        "learning_rate": 0.9,
        "scaling": "raw",
        "validation": "tail",
        "classifier_activation": "sigmoid",
    },
    "alexnet": {**_ENLARGED, **_SGD, "learning_rate": 0.01, "classifier_activation": "sigmoid"},
    "vgg11": {**_ENLARGED, **_SGD, "learning_rate": 0.05, "classifier_activation": "sigmoid"},
    "nin": {
        **_ENLARGED,
        "learning_rate": 1e-7,
        "classifier_activation": None,
        "outputs": "probabilities",
    },
    "googlenet": {
        **_ENLARGED,
        "learning_rate": 1e-7,
        "classifier_activation": None,
        "outputs": "probabilities",
    },
    "vgg11_small": {
        **_ENLARGED,
        **_SGD,
        "learning_rate": 0.05,
        "validation": "test",
        "classifier_activation": None,
    },
    "baseline": {},
    "lenet5": {},
    "alexnet8": {},
    "vgg16": {},
    "resnet18": {},
    "inception10": {"batch_size": 1024, "network_args": {"freeze_statistics": True}},
}


def _speedrun(network: str) -> Recipe:
    if network not in _SPEEDRUN:
        raise RecipeError(
            f"{network} has no recipe 'speedrun'. It is there for: {', '.join(sorted(_SPEEDRUN))}."
        )
    return _FAST.override(_SPEEDRUN[network])


_CIFAR_GREY = 121
"""The mean pixel of CIFAR-10: a hole of this value is near zero once the images are scaled."""

_FAST = Recipe(
    name="speedrun",
    batch_size=512,
    precision="auto",
    augmentation={
        "shift": 4,
        "flip": True,
        "border": "reflect",
        "cutout": 8,
        "fill": _CIFAR_GREY,
    },
    validation="none",
    optimizer="sgd",
    learning_rate=0.4,
    momentum=0.9,
    nesterov=True,
    schedule="one-cycle",
    warmup=0.2,
    weight_decay=5e-3,
    network_args={"batch_norm_momentum": 0.9},
)
"""What the scripts that train CIFAR-10 fastest have in common, as David Page worked it out in "How
to Train Your ResNet" (2018): Nesterov's momentum at the highest rate that is stable, a short rise
and a long fall, mirrored, shifted and partly blanked images, smoothed labels.

Their weight decay of 5e-4 goes into the gradient, where momentum 0.9 makes ten times as much of it;
ours is apart from the gradient, hence 5e-3. A moving average of the weights is left out: it pays
where the rate is still high at the end, and here it ends at 0."""

_SPEEDRUN: dict[str, dict[str, Any]] = {
    "resnet9": {"epochs": 20, "label_smoothing": 0.2},
    "resnet18": {
        "epochs": 40,
        "label_smoothing": 0.1,
        "network_args": {"classifier_regularizer": None},
    },
}
"""Epochs that should do for 94 % and 95 % of the test images."""
