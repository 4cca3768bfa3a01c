"""The twelve networks as people first wrote them, for `tf_keras`, and the files they left behind.

Nothing heavy is imported until a model is built, so that tests can be drawn from `VARIANTS`.
"""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Variant:
    """One original, built in one style, in one state.

    `freeze` is a seed: which layers are frozen is drawn from it. `train` steps with Adam before
    saving; otherwise every weight, moving statistics included, gets a random value of its own,
    unless `untrained`.
    """

    network: str
    style: str
    input_shape: tuple[int, int, int]
    freeze: int | None = None
    train: bool = False
    untrained: bool = False
    counting: bool = False

    @property
    def label(self) -> str:
        parts = [self.network, self.style]
        parts += [f"freeze{self.freeze}"] if self.freeze is not None else []
        parts += [name for name in ("train", "untrained", "counting") if getattr(self, name)]
        return "-".join(parts)

    @property
    def endings(self) -> list[str]:
        """What is saved: weights, a checkpoint, and a whole model where `tf_keras` can."""
        whole = self.style != "subclassed" and self.network != "googlenet"
        return [".h5", ".ckpt"] + ([".model.h5"] if whole else [])

    @property
    def width(self) -> float:
        """Networks of millions of weights are built with an eighth of their channels."""
        return 0.125 if self.network in _LARGE else 1.0

    def filters(self, full: int) -> int:
        return int(full * self.width)

    @property
    def arguments(self) -> dict:
        """What `cnnblocks.create` needs to build the same network."""
        activation = "softmax"
        if self.network in ("googlenet", "nin") or self.style == "nested-flat-head":
            activation = None
        elif self.network in ("lenet", "alexnet", "vgg11"):
            activation = "sigmoid"
        arguments = {"input_shape": self.input_shape, "classifier_activation": activation}
        if self.network in _LARGE:
            arguments["width"] = self.width / 4 if self.network == "vgg11_small" else self.width
        if self.network in _UNITS:
            arguments["units"] = _UNITS[self.network]
        return arguments


SMALL = (28, 28, 1)
COLOUR = (32, 32, 3)
_STYLES = {
    "baseline": (COLOUR, ("sequential", "subclassed")),
    "lenet": (SMALL, ("sequential", "subclassed")),
    "lenet5": (COLOUR, ("sequential", "subclassed")),
    "alexnet": ((67, 67, 1), ("sequential",)),
    "alexnet8": (COLOUR, ("sequential", "subclassed")),
    "vgg11": ((32, 32, 1), ("nested", "nested-flat-head")),
    "vgg11_small": ((32, 32, 1), ("nested-flat-head",)),
    "vgg16": (COLOUR, ("sequential", "subclassed")),
    "nin": ((67, 67, 1), ("nested", "sequential")),
    "googlenet": ((64, 64, 1), ("nested",)),
    "inception10": (COLOUR, ("subclassed",)),
    "resnet18": (COLOUR, ("subclassed",)),
}
_LARGE = (
    "alexnet",
    "alexnet8",
    "vgg11",
    "vgg11_small",
    "vgg16",
    "nin",
    "googlenet",
    "resnet18",
)
_UNITS = {"alexnet": 64, "alexnet8": 32, "vgg11": 64, "vgg11_small": 64, "vgg16": 64}
_UNTRAINED = ("baseline", "lenet", "inception10", "resnet18")
_TRAINED = ("baseline", "lenet5")


def _variants() -> list[Variant]:
    variants = []
    for network, (shape, styles) in _STYLES.items():
        for number, style in enumerate(styles):
            variants.append(Variant(network, style, shape, freeze=number, counting=number == 0))
            if network in _TRAINED:
                variants.append(Variant(network, style, shape, train=True))
        variants.append(Variant(network, styles[-1], shape, untrained=network in _UNTRAINED))
    return variants


VARIANTS = _variants()


def build(variant: Variant):
    """Return the original as a built `tf_keras` model."""
    import tf_keras as tfk

    tfk.backend.clear_session()
    if variant.counting:
        _spend_names(tfk)
    model = of_style(tfk, variant)
    if variant.freeze is None:
        model.build((None, *variant.input_shape))
    else:  # built by a call, a subclassed model puts its name before those of its variables
        model(tfk.backend.zeros((1, *variant.input_shape)))
    return model


def of_style(tfk, variant: Variant):
    """Return the original, not yet built; `tfk` may be Keras 3 as well."""
    make = globals()[f"_{variant.network}_{variant.style.replace('-', '_')}"]
    return make(tfk, variant)


def _spend_names(tfk) -> None:
    """Use up automatic names, as cells run earlier in a notebook do."""
    layers = tfk.layers
    for _ in range(7):
        layers.Conv2D(1, 1), layers.BatchNormalization(), layers.Dense(1)
    for _ in range(3):
        tfk.Sequential()


# --- Sequential ---------------------------------------------------------------------------------


def _baseline_layers(tfk):
    layers = tfk.layers
    return [
        layers.Conv2D(6, 5, padding="same"),
        layers.BatchNormalization(),
        layers.Activation("relu"),
        layers.MaxPool2D(2, 2, padding="same"),
        layers.Dropout(0.2),
        layers.Flatten(),
        layers.Dense(128, activation="relu"),
        layers.Dropout(0.2),
        layers.Dense(10, activation="softmax"),
    ]


def _baseline_sequential(tfk, variant):
    return tfk.Sequential([tfk.layers.InputLayer(variant.input_shape), *_baseline_layers(tfk)])


def _lenet_layers(tfk, last):
    layers = tfk.layers
    return [
        layers.Conv2D(6, 5, activation="sigmoid"),
        layers.MaxPool2D(2, 2),
        layers.Conv2D(16, 5, activation="sigmoid"),
        layers.MaxPool2D(2, 2),
        layers.Flatten(),
        layers.Dense(120, activation="sigmoid"),
        layers.Dense(84, activation="sigmoid"),
        layers.Dense(10, activation=last),
    ]


def _lenet_sequential(tfk, variant):
    rescaling = tfk.layers.Rescaling(1.0, input_shape=variant.input_shape)
    return tfk.Sequential([rescaling, *_lenet_layers(tfk, "sigmoid")])


def _lenet5_sequential(tfk, variant):
    return tfk.Sequential(_lenet_layers(tfk, "softmax"))


def _alexnet_sequential(tfk, variant):
    layers, filters, units = tfk.layers, variant.filters, _UNITS["alexnet"]
    return tfk.Sequential(
        [
            layers.Conv2D(filters(96), 11, 4, activation="relu", input_shape=variant.input_shape),
            layers.MaxPool2D(3, 2),
            layers.Conv2D(filters(256), 5, padding="same", activation="relu"),
            layers.MaxPool2D(3, 2),
            layers.Conv2D(filters(384), 3, padding="same", activation="relu"),
            layers.Conv2D(filters(384), 3, padding="same", activation="relu"),
            layers.Conv2D(filters(256), 3, padding="same", activation="relu"),
            layers.MaxPool2D(3, 2),
            layers.Flatten(),
            layers.Dense(units, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(units, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(10, activation="sigmoid"),
        ]
    )


def _alexnet8_layers(tfk, variant):
    layers, filters, units = tfk.layers, variant.filters, _UNITS["alexnet8"]
    normed = []
    for full in (96, 256):
        normed += [
            layers.Conv2D(filters(full), 3),
            layers.BatchNormalization(),
            layers.Activation("relu"),
            layers.MaxPool2D(3, 2),
        ]
    return [
        *normed,
        layers.Conv2D(filters(384), 3, padding="same", activation="relu"),
        layers.Conv2D(filters(384), 3, padding="same", activation="relu"),
        layers.Conv2D(filters(256), 3, padding="same", activation="relu"),
        layers.MaxPool2D(3, 2),
        layers.Flatten(),
        layers.Dense(units, activation="relu"),
        layers.Dropout(0.5),
        layers.Dense(units, activation="relu"),
        layers.Dropout(0.5),
        layers.Dense(10, activation="softmax"),
    ]


def _alexnet8_sequential(tfk, variant):
    return tfk.Sequential(_alexnet8_layers(tfk, variant))


def _vgg16_layers(tfk, variant):
    layers, stack = tfk.layers, []
    for convolutions, filters in ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512)):
        for _ in range(convolutions):
            stack += [
                layers.Conv2D(variant.filters(filters), 3, padding="same"),
                layers.BatchNormalization(),
                layers.Activation("relu"),
            ]
        stack += [layers.MaxPool2D(2, 2, padding="same"), layers.Dropout(0.2)]
    stack.append(layers.Flatten())
    for _ in range(2):
        stack += [layers.Dense(_UNITS["vgg16"], activation="relu"), layers.Dropout(0.2)]
    return [*stack, layers.Dense(10, activation="softmax")]


def _vgg16_sequential(tfk, variant):
    return tfk.Sequential(_vgg16_layers(tfk, variant))


# --- nested Sequential --------------------------------------------------------------------------


def _vgg_block(tfk, convolutions, filters):
    block = tfk.Sequential()
    for _ in range(convolutions):
        block.add(tfk.layers.Conv2D(filters, 3, padding="same", activation="relu"))
    block.add(tfk.layers.MaxPool2D(2, 2))
    return block


def _vgg11_head(tfk, last):
    layers, units = tfk.layers, _UNITS["vgg11"]
    return [
        layers.Flatten(),
        layers.Dense(units, activation="relu"),
        layers.Dropout(0.5),
        layers.Dense(units, activation="relu"),
        layers.Dropout(0.5),
        layers.Dense(10, activation=last),
    ]


def _vgg11_blocks(tfk, variant, divide=1):
    architecture = ((1, 64), (1, 128), (2, 256), (2, 512), (2, 512))
    return [_vgg_block(tfk, count, variant.filters(full) // divide) for count, full in architecture]


def _vgg11_nested(tfk, variant):
    head = tfk.Sequential(_vgg11_head(tfk, "sigmoid"))
    return tfk.Sequential([*_vgg11_blocks(tfk, variant), head])


def _vgg11_nested_flat_head(tfk, variant):
    return tfk.Sequential([*_vgg11_blocks(tfk, variant), *_vgg11_head(tfk, None)])


def _vgg11_small_nested_flat_head(tfk, variant):
    return tfk.Sequential([*_vgg11_blocks(tfk, variant, divide=4), *_vgg11_head(tfk, None)])


_NIN = ((96, 11, 4, "valid"), (256, 5, 1, "same"), (384, 3, 1, "same"), (10, 3, 1, "same"))


def _nin_block(tfk, filters, kernel_size, strides, padding):
    layers = tfk.layers
    return [
        layers.Conv2D(filters, kernel_size, strides, padding, activation="relu"),
        layers.Conv2D(filters, 1, activation="relu"),
        layers.Conv2D(filters, 1, activation="relu"),
    ]


def _nin_stack(tfk, variant, wrap):
    layers, stack = tfk.layers, []
    for index, (full, *arguments) in enumerate(_NIN):
        filters = variant.filters(full) if index < 3 else full
        stack += wrap(_nin_block(tfk, filters, *arguments))
        stack += [layers.MaxPool2D(3, 2)] if index < 3 else []
        stack += [layers.Dropout(0.5)] if index == 2 else []
    return tfk.Sequential([*stack, layers.GlobalAveragePooling2D()])


def _nin_sequential(tfk, variant):
    return _nin_stack(tfk, variant, lambda block: block)


def _nin_nested(tfk, variant):
    return _nin_stack(tfk, variant, lambda block: [tfk.Sequential(block)])


_GOOGLENET = (
    ((64, (96, 128), (16, 32), 32), (128, (128, 192), (32, 96), 64)),
    (
        (192, (96, 208), (16, 48), 64),
        (160, (112, 224), (24, 64), 64),
        (128, (128, 256), (24, 64), 64),
        (112, (144, 288), (32, 64), 64),
        (256, (160, 320), (32, 128), 128),
    ),
    ((256, (160, 320), (32, 128), 128), (384, (192, 384), (48, 128), 128)),
)


def _googlenet_nested(tfk, variant):
    layers = tfk.layers

    def conv(filters, size, strides=1):
        scaled = variant.filters(filters)
        return layers.Conv2D(scaled, size, strides, padding="same", activation="relu")

    def pool():
        return layers.MaxPool2D(3, 2, padding="same")

    class Inception(layers.Layer):
        def __init__(self, c1, c2, c3, c4):
            super().__init__()
            self.p1_1 = conv(c1, 1)
            self.p2_1 = conv(c2[0], 1)
            self.p2_2 = conv(c2[1], 3)
            self.p3_1 = conv(c3[0], 1)
            self.p3_2 = conv(c3[1], 5)
            self.p4_1 = layers.MaxPool2D(3, 1, padding="same")
            self.p4_2 = conv(c4, 1)

        def call(self, x):
            paths = [
                self.p1_1(x),
                self.p2_2(self.p2_1(x)),
                self.p3_2(self.p3_1(x)),
                self.p4_2(self.p4_1(x)),
            ]
            return layers.concatenate(paths)

    stages = [
        [conv(64, 7, 2), pool()],
        [conv(64, 1), conv(192, 3), pool()],
    ]
    for index, blocks in enumerate(_GOOGLENET):
        last = pool() if index < 2 else layers.GlobalAveragePooling2D()
        stages.append([*(Inception(*block) for block in blocks), last])
    return tfk.Sequential([*(tfk.Sequential(stage) for stage in stages), layers.Dense(10)])


# --- subclassed ---------------------------------------------------------------------------------


def _chain(tfk, name, attributes):
    """A subclassed model that calls its attributes one after the other."""

    class Chain(tfk.Model):
        def __init__(self):
            super().__init__(name=name)
            self._order = tuple(attribute for attribute, _ in attributes)
            for attribute, layer in attributes:
                setattr(self, attribute, layer)

        def call(self, x):
            for attribute in self._order:
                x = getattr(self, attribute)(x)
            return x

    return Chain()


def _numbered(layers):
    """Attribute names as the course chose them: `c1`, `b1`, `a1`, `p1`, `d1`, `flatten`, `f1`."""
    letters = {
        "Conv2D": "c",
        "BatchNormalization": "b",
        "Activation": "a",
        "MaxPooling2D": "p",
        "Dropout": "d",
        "Dense": "f",
    }
    counts: dict[str, int] = {}
    named = []
    for layer in layers:
        letter = letters.get(type(layer).__name__)
        if letter is None:
            named.append((type(layer).__name__.lower(), layer))
            continue
        counts[letter] = counts.get(letter, 0) + 1
        named.append((f"{letter}{counts[letter]}", layer))
    return named


def _baseline_subclassed(tfk, variant):
    return _chain(tfk, "baseline", _numbered(_baseline_layers(tfk)))


def _lenet_subclassed(tfk, variant):
    return _chain(tfk, "le_net", _numbered(_lenet_layers(tfk, "sigmoid")))


def _lenet5_subclassed(tfk, variant):
    return _chain(tfk, "le_net5", _numbered(_lenet_layers(tfk, "softmax")))


def _alexnet8_subclassed(tfk, variant):
    return _chain(tfk, "alex_net8", _numbered(_alexnet8_layers(tfk, variant)))


def _vgg16_subclassed(tfk, variant):
    return _chain(tfk, "vgg16", _numbered(_vgg16_layers(tfk, variant)))


def _inception10_subclassed(tfk, variant):
    layers = tfk.layers

    class ConvBNRelu(tfk.Model):
        def __init__(self, channels, kernel_size=3, strides=1):
            super().__init__()
            self.model = tfk.Sequential(
                [
                    layers.Conv2D(channels, kernel_size, strides, padding="same"),
                    layers.BatchNormalization(),
                    layers.Activation("relu"),
                ]
            )

        def call(self, x):
            return self.model(x, training=False)

    class InceptionBlk(tfk.Model):
        def __init__(self, channels, strides):
            super().__init__()
            self.c1 = ConvBNRelu(channels, 1, strides)
            self.c2_1 = ConvBNRelu(channels, 1, strides)
            self.c2_2 = ConvBNRelu(channels, 3)
            self.c3_1 = ConvBNRelu(channels, 1, strides)
            self.c3_2 = ConvBNRelu(channels, 5)
            self.p4_1 = layers.MaxPool2D(3, 1, padding="same")
            self.c4_2 = ConvBNRelu(channels, 1, strides)

        def call(self, x):
            branches = [
                self.c1(x),
                self.c2_2(self.c2_1(x)),
                self.c3_2(self.c3_1(x)),
                self.c4_2(self.p4_1(x)),
            ]
            return layers.concatenate(branches, axis=3)

    class Inception10(tfk.Model):
        def __init__(self, groups=2, classes=10, channels=16):
            super().__init__()
            self.c1 = ConvBNRelu(channels)
            self.blocks = tfk.Sequential()
            for _ in range(groups):
                self.blocks.add(InceptionBlk(channels, 2))
                self.blocks.add(InceptionBlk(channels, 1))
                channels *= 2
            self.p1 = layers.GlobalAveragePooling2D()
            self.f1 = layers.Dense(classes, activation="softmax")

        def call(self, x):
            return self.f1(self.p1(self.blocks(self.c1(x))))

    return Inception10()


def _resnet18_subclassed(tfk, variant):
    layers = tfk.layers

    class ResnetBlock(tfk.Model):
        def __init__(self, filters, strides=1, residual_path=False):
            super().__init__()
            self.residual_path = residual_path
            self.c1 = layers.Conv2D(filters, 3, strides, padding="same", use_bias=False)
            self.b1 = layers.BatchNormalization()
            self.a1 = layers.Activation("relu")
            self.c2 = layers.Conv2D(filters, 3, padding="same", use_bias=False)
            self.b2 = layers.BatchNormalization()
            if residual_path:
                self.down_c1 = layers.Conv2D(filters, 1, strides, padding="same", use_bias=False)
                self.down_b1 = layers.BatchNormalization()
            self.a2 = layers.Activation("relu")

        def call(self, x):
            y = self.b2(self.c2(self.a1(self.b1(self.c1(x)))))
            residual = self.down_b1(self.down_c1(x)) if self.residual_path else x
            return self.a2(y + residual)

    class ResNet18(tfk.Model):
        def __init__(self, blocks=(2, 2, 2, 2), filters=64):
            super().__init__()
            self.c1 = layers.Conv2D(filters, 3, padding="same", use_bias=False)
            self.b1 = layers.BatchNormalization()
            self.a1 = layers.Activation("relu")
            self.blocks = tfk.Sequential()
            for group, count in enumerate(blocks):
                for index in range(count):
                    down = group > 0 and index == 0
                    self.blocks.add(ResnetBlock(filters, 2 if down else 1, residual_path=down))
                filters *= 2
            self.p1 = layers.GlobalAveragePooling2D()
            self.f1 = layers.Dense(
                10, activation="softmax", kernel_regularizer=tfk.regularizers.l2(0.01)
            )

        def call(self, x):
            x = self.a1(self.b1(self.c1(x)))
            return self.f1(self.p1(self.blocks(x)))

    return ResNet18(filters=variant.filters(64))


# --- states and files ---------------------------------------------------------------------------


def randomize(model, seed=0) -> None:
    """Give every weight values of its own: no two layers of a kind can be mistaken unnoticed."""
    import numpy as np

    generator = np.random.default_rng(seed)
    for weight in model.weights:
        shape = tuple(weight.shape)
        if "gamma" in weight.name or "variance" in weight.name:
            value = generator.uniform(0.5, 1.5, shape)
        elif len(shape) == 1:
            value = generator.normal(0.0, 0.1, shape)
        else:
            value = generator.normal(0.0, (2.0 / np.prod(shape[:-1])) ** 0.5, shape)
        weight.assign(value.astype("float32"))


def freeze(model, seed: int) -> None:
    """Freeze a random half of the leaf layers that hold weights, inside blocks too."""
    import numpy as np

    generator = np.random.default_rng(seed)
    leaves = [
        layer
        for layer in model._flatten_layers(include_self=False)
        if layer.weights and not any(child.weights for child in layer._flatten_layers(False))
    ]
    for layer in leaves:
        layer.trainable = bool(generator.integers(2))


def train(model, shape) -> None:
    import numpy as np

    generator = np.random.default_rng(0)
    model.compile("adam", "sparse_categorical_crossentropy")
    images = generator.random((32, *shape), dtype="float32")
    model.fit(images, generator.integers(0, 10, 32), epochs=2, batch_size=8, verbose=0)


def save(variant: Variant, folder: Path):
    """Save the variant in every way it can be; return the files, an input and its output."""
    import numpy as np

    model = build(variant)
    if variant.train:
        train(model, variant.input_shape)
    elif not variant.untrained:
        randomize(model, seed=len(variant.label))
    if variant.freeze is not None:
        freeze(model, variant.freeze)
    x = np.random.default_rng(5).random((2, *variant.input_shape), dtype="float32")
    y = model(x, training=False).numpy()
    files = [folder / f"{variant.label}{ending}" for ending in variant.endings]
    for file in files:
        (model.save if ".model." in file.name else model.save_weights)(str(file))
    return files, x, y


def dump(variant: Variant) -> list[tuple]:
    """Return names and values of all trainable variables, as the courses wrote them to a file."""
    model = build(variant)
    randomize(model)
    return [(weight.name, weight.numpy()) for weight in model.trainable_variables]
