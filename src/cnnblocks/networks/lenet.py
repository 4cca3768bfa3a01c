"""LeNet, the first convolutional network in wide use."""

from typing import Any

from keras import layers

from cnnblocks.networks.frame import Frame, scaled
from cnnblocks.networks.registry import Paper, network

_PAPER = Paper(
    "Gradient-Based Learning Applied to Document Recognition",
    "Yann LeCun, Léon Bottou, Yoshua Bengio, Patrick Haffner",
    1998,
    "https://doi.org/10.1109/5.726791",
)


@network(
    "lenet",
    family="LeNet",
    paper=_PAPER,
    native_input_shape=(28, 28, 1),
    trained_on="MNIST",
    parameters=44_426,
    idea="""Instead of hand-made features, learn them: small filters that slide over the image
    share their weights, pooling makes the result insensitive to small shifts, and the whole is
    trained from pixels to classes by gradient descent. It read the digits on bank cheques. This
    form takes grey images of 28 pixels, the size of MNIST and Fashion-MNIST.""",
)
def LeNet(
    x: Any,
    frame: Frame,
    *,
    activation: Any = "sigmoid",
    units: tuple[int, int] = (120, 84),
    width: float = 1.0,
) -> Any:
    """LeNet for grey images of 28 pixels.

    Args:
        activation: Activation of every layer but the classifier.
        units: Units of the two hidden Dense layers.
        width: Factor on the filters of the convolutions.
    """
    return _lenet(x, frame, activation, units, width)


@network(
    "lenet5",
    family="LeNet",
    paper=_PAPER,
    native_input_shape=(32, 32, 3),
    trained_on="MNIST",
    parameters=62_006,
    idea="""LeNet-5 at the size of CIFAR-10: two convolutions of 5x5 with sigmoids, each followed by
    pooling, then three Dense layers, which hold most of the weights. Small enough to train in
    seconds on a laptop, and the place to see how far the ideas of 1998 go on colour photos.""",
)
def LeNet5(
    x: Any,
    frame: Frame,
    *,
    activation: Any = "sigmoid",
    units: tuple[int, int] = (120, 84),
    width: float = 1.0,
) -> Any:
    """LeNet-5 for colour images of 32 pixels.

    Args:
        activation: Activation of every layer but the classifier.
        units: Units of the two hidden Dense layers.
        width: Factor on the filters of the convolutions.
    """
    return _lenet(x, frame, activation, units, width)


def _lenet(x: Any, frame: Frame, activation: Any, units: tuple[int, int], width: float) -> Any:
    for stage, filters in enumerate((6, 16), start=1):
        x = layers.Conv2D(
            scaled(filters, width),
            5,
            activation=activation,
            name=f"stage{stage}_conv",
            **frame.spatial,
        )(x)
        x = layers.MaxPooling2D(2, name=f"stage{stage}_pool", **frame.spatial)(x)
    if frame.include_top:
        x = frame.flatten(x)
        for number, size in enumerate(units, start=1):
            x = layers.Dense(size, activation=activation, name=f"dense{number}", dtype=frame.dtype)(
                x
            )
        x = frame.classifier(x)
    return x
