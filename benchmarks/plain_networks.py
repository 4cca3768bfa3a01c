"""The peers: the small networks as one would write them in plain Keras, without our blocks.

Every function takes the module to build with (`keras` or `tf_keras`), so the same text serves as
the peer on every backend and on the Keras of TensorFlow 2.
"""

INPUT_SHAPE = (32, 32, 3)
NUM_CLASSES = 10


def _conv_bn_relu(layers, x, filters, kernel_size=3, strides=1, padding="same", use_bias=True):
    x = layers.Conv2D(filters, kernel_size, strides, padding, use_bias=use_bias)(x)
    x = layers.BatchNormalization()(x)
    return layers.ReLU()(x)


def _head(layers, x, units, dropout):
    x = layers.Flatten()(x)
    for width in units:
        x = layers.Dense(width, activation="relu")(x)
        x = layers.Dropout(dropout)(x)
    return layers.Dense(NUM_CLASSES, activation="softmax")(x)


def baseline(keras):
    """Convolution, batch normalization, activation, pooling, dropout; then a small head."""
    layers = keras.layers
    inputs = keras.Input(INPUT_SHAPE)
    x = _conv_bn_relu(layers, inputs, 6, 5)
    x = layers.MaxPooling2D(2, 2, "same")(x)
    x = layers.Dropout(0.2)(x)
    return keras.Model(inputs, _head(layers, x, [128], 0.2))


def lenet5(keras):
    """LeNet-5 with sigmoids."""
    layers = keras.layers
    inputs = keras.Input(INPUT_SHAPE)
    x = inputs
    for filters in (6, 16):
        x = layers.Conv2D(filters, 5, activation="sigmoid")(x)
        x = layers.MaxPooling2D(2, 2)(x)
    x = layers.Flatten()(x)
    for units in (120, 84):
        x = layers.Dense(units, activation="sigmoid")(x)
    return keras.Model(inputs, layers.Dense(NUM_CLASSES, activation="softmax")(x))


def alexnet8(keras):
    """AlexNet with small kernels and batch normalization."""
    layers = keras.layers
    inputs = keras.Input(INPUT_SHAPE)
    x = inputs
    for filters in (96, 256):
        x = _conv_bn_relu(layers, x, filters, 3, padding="valid")
        x = layers.MaxPooling2D(3, 2)(x)
    for filters in (384, 384, 256):
        x = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
    x = layers.MaxPooling2D(3, 2)(x)
    return keras.Model(inputs, _head(layers, x, [2048, 2048], 0.5))


def vgg16(keras):
    """VGG-16 with batch normalization and dropout."""
    layers = keras.layers
    inputs = keras.Input(INPUT_SHAPE)
    x = inputs
    for convolutions, filters in ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512)):
        for _ in range(convolutions):
            x = _conv_bn_relu(layers, x, filters)
        x = layers.MaxPooling2D(2, 2, "same")(x)
        x = layers.Dropout(0.2)(x)
    return keras.Model(inputs, _head(layers, x, [512, 512], 0.2))


def inception10(keras):
    """Two groups of two Inception blocks with equal branches."""
    layers = keras.layers
    inputs = keras.Input(INPUT_SHAPE)
    x = _conv_bn_relu(layers, inputs, 16)
    for filters in (16, 32):
        for strides in (2, 1):
            x1 = _conv_bn_relu(layers, x, filters, 1, strides)
            x2 = _conv_bn_relu(layers, x, filters, 1, strides)
            x2 = _conv_bn_relu(layers, x2, filters, 3)
            x3 = _conv_bn_relu(layers, x, filters, 1, strides)
            x3 = _conv_bn_relu(layers, x3, filters, 5)
            x4 = layers.MaxPooling2D(3, 1, "same")(x)
            x4 = _conv_bn_relu(layers, x4, filters, 1, strides)
            x = layers.Concatenate()([x1, x2, x3, x4])
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(NUM_CLASSES, activation="softmax")(x))


def resnet18(keras):
    """ResNet-18 with a 3x3 stem and no stem pooling."""
    layers = keras.layers
    inputs = keras.Input(INPUT_SHAPE)
    x = _conv_bn_relu(layers, inputs, 64, use_bias=False)
    for group, filters in enumerate((64, 128, 256, 512)):
        for block in range(2):
            strides = 2 if group and not block else 1
            y = _conv_bn_relu(layers, x, filters, 3, strides, use_bias=False)
            y = layers.Conv2D(filters, 3, padding="same", use_bias=False)(y)
            y = layers.BatchNormalization()(y)
            if strides == 2:
                x = layers.Conv2D(filters, 1, strides, use_bias=False)(x)
                x = layers.BatchNormalization()(x)
            x = layers.ReLU()(layers.Add()([x, y]))
    x = layers.GlobalAveragePooling2D()(x)
    regularizer = keras.regularizers.L2(0.01)
    outputs = layers.Dense(NUM_CLASSES, activation="softmax", kernel_regularizer=regularizer)(x)
    return keras.Model(inputs, outputs)


PLAIN = {
    "baseline": baseline,
    "lenet5": lenet5,
    "alexnet8": alexnet8,
    "vgg16": vgg16,
    "inception10": inception10,
    "resnet18": resnet18,
}
