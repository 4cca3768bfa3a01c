"""The networks layer by layer: shapes and parameters as published."""

import math

import keras
import pytest

from cnnblocks import networks

TOTALS = {
    "baseline": (198_506, 198_494),
    "lenet": (44_426, 44_426),
    "lenet5": (62_006, 62_006),
    "alexnet": (46_764_746, 46_764_746),
    "alexnet8": (9_639_178, 9_638_474),
    "vgg11": (128_806_154, 128_806_154),
    "vgg11_small": (43_093_322, 43_093_322),
    "vgg16": (15_262_026, 15_253_578),
    "nin": (1_992_166, 1_992_166),
    "googlenet": (5_977_530, 5_977_530),
    "inception10": (121_418, 120_234),
    "resnet18": (11_183_562, 11_173_962),
}
AT_28_PIXELS = {
    "lenet5": 44_426,
    "alexnet8": 8_064_586,
    "vgg16": 15_260_874,
    "inception10": 121_130,
    "resnet18": 11_182_410,
}
IMAGENET = {"input_shape": (224, 224, 3), "num_classes": 1000}
PLAIN_VGG = {**IMAGENET, "use_batch_norm": False, "block_dropout": 0.0, "units": 4096}
# Parameters that are trained, as published for ImageNet.
PUBLISHED = {
    "vgg11": (IMAGENET, 132_863_336),
    "vgg13": (PLAIN_VGG, 133_047_848),
    "vgg16": (PLAIN_VGG, 138_357_544),
    "vgg19": (PLAIN_VGG, 143_667_240),
    "resnet18": ({**IMAGENET, "stem": "imagenet"}, 11_689_512),
    "resnet34": ({**IMAGENET, "stem": "imagenet"}, 21_797_672),
    "resnet50": ({**IMAGENET, "stem": "imagenet"}, 25_557_032),
}


def trainable(model):
    return sum(math.prod(weight.shape) for weight in model.trainable_weights)


def shapes(model):
    return {layer.name: layer.output.shape[1:] for layer in model.layers}


def parameters(model):
    return {layer.name: layer.count_params() for layer in model.layers if layer.count_params()}


@pytest.mark.parametrize("name", TOTALS)
def test_parameters_at_the_native_input(name, outline):
    model = outline(name)
    assert (model.count_params(), trainable(model)) == TOTALS[name]


@pytest.mark.parametrize("name", networks.list_networks())
def test_the_registered_number_of_parameters_is_right(name, outline):
    assert outline(name).count_params() == networks.get(name).parameters


@pytest.mark.parametrize("name", AT_28_PIXELS)
def test_parameters_at_28_pixels(name, outline):
    assert outline(name, input_shape=(28, 28, 1)).count_params() == AT_28_PIXELS[name]


@pytest.mark.parametrize("name", PUBLISHED)
def test_parameters_as_published_for_imagenet(name):
    arguments, published = PUBLISHED[name]
    assert trainable(networks.outline(name, **arguments)) == published


def test_baseline(outline):
    model = outline("baseline")
    assert list(shapes(model).items()) == [
        ("images", (32, 32, 3)),
        ("stage1_conv", (32, 32, 6)),
        ("stage1_pool", (16, 16, 6)),
        ("stage1_dropout", (16, 16, 6)),
        ("flatten", (1536,)),
        ("dense", (128,)),
        ("dense_dropout", (128,)),
        ("classifier", (10,)),
    ]
    assert model.get_layer("stage1_conv").use_bias
    assert model.get_layer("stage1_dropout").rate == 0.2
    assert model.get_layer("dense_dropout").rate == 0.2


def test_lenet(outline):
    model = outline("lenet")
    assert list(shapes(model).items()) == [
        ("images", (28, 28, 1)),
        ("stage1_conv", (24, 24, 6)),
        ("stage1_pool", (12, 12, 6)),
        ("stage2_conv", (8, 8, 16)),
        ("stage2_pool", (4, 4, 16)),
        ("flatten", (256,)),
        ("dense1", (120,)),
        ("dense2", (84,)),
        ("classifier", (10,)),
    ]
    assert list(parameters(model).values()) == [156, 2_416, 30_840, 10_164, 850]
    for name in ("stage1_conv", "stage2_conv", "dense1", "dense2"):
        assert model.get_layer(name).activation is keras.activations.sigmoid


def test_alexnet(outline):
    model = outline("alexnet")
    assert list(shapes(model).values()) == [
        *((224, 224, 1), (54, 54, 96), (26, 26, 96), (26, 26, 256), (12, 12, 256)),
        *((12, 12, 384), (12, 12, 384), (12, 12, 256), (5, 5, 256), (6400,)),
        *((4096,), (4096,), (4096,), (4096,), (10,)),
    ]
    assert list(parameters(model).values())[:4] == [11_712, 614_656, 885_120, 1_327_488]
    assert model.get_layer("dense1_dropout").rate == 0.5


def test_alexnet8(outline):
    assert list(shapes(outline("alexnet8")).values()) == [
        *((32, 32, 3), (30, 30, 96), (14, 14, 96), (12, 12, 256), (5, 5, 256)),
        *((5, 5, 384), (5, 5, 384), (5, 5, 256), (2, 2, 256), (1024,)),
        *((2048,), (2048,), (2048,), (2048,), (10,)),
    ]


@pytest.mark.parametrize(("name", "divisor"), [("vgg11", 1), ("vgg11_small", 4)])
def test_vgg11(name, divisor, outline):
    model = outline(name)
    expected = {
        "stage1": (112, 112, 64 // divisor),
        "stage2": (56, 56, 128 // divisor),
        "stage3": (28, 28, 256 // divisor),
        "stage4": (14, 14, 512 // divisor),
        "stage5": (7, 7, 512 // divisor),
        "dense1": (4096,),
        "dense2": (4096,),
    }
    assert expected.items() <= shapes(model).items()
    assert [model.get_layer(f"stage{n}").num_convs for n in range(1, 6)] == [1, 1, 2, 2, 2]
    assert model.get_layer("dense2_dropout").rate == 0.5


def test_vgg16(outline):
    model = outline("vgg16")
    blocks = [model.get_layer(f"stage{n}") for n in range(1, 6)]
    assert [block.num_convs for block in blocks] == [2, 2, 3, 3, 3]
    assert [block.filters for block in blocks] == [64, 128, 256, 512, 512]
    assert {block.pool_padding for block in blocks} == {"same"}
    assert {block.dropout for block in blocks} == {0.2}
    assert all(block.use_batch_norm and block.use_bias for block in blocks)
    assert shapes(model)["dense1"] == (512,)


def test_nin(outline):
    model = outline("nin")
    assert list(shapes(model).values()) == [
        *((224, 224, 1), (54, 54, 96), (26, 26, 96), (26, 26, 256), (12, 12, 256)),
        *((12, 12, 384), (5, 5, 384), (5, 5, 384), (5, 5, 10), (10,), (10,)),
    ]
    assert not any(isinstance(layer, keras.layers.Dense) for layer in model.layers)


def test_googlenet(outline):
    model = outline("googlenet")
    expected = {
        "stage1_pool": (24, 24, 64),
        "stage2_pool": (12, 12, 192),
        "stage3_pool": (6, 6, 480),
        "stage4_pool": (3, 3, 832),
        "global_pool": (1024,),
        "classifier": (10,),
    }
    assert expected.items() <= shapes(model).items()
    by_part = {}
    for name, count in parameters(model).items():
        part = name.partition("_")[0]
        by_part[part] = by_part.get(part, 0) + count
    assert list(by_part.values()) == [3_200, 114_944, 552_432, 2_809_168, 2_487_536, 10_250]


def test_googlenet_at_224_pixels(outline):
    assert shapes(outline("googlenet", input_shape=(224, 224, 3)))["stage5_block2"] == (7, 7, 1024)


def test_inception10(outline):
    model = outline("inception10")
    assert list(shapes(model).values()) == [
        *((32, 32, 3), (32, 32, 16), (16, 16, 64), (16, 16, 64)),
        *((8, 8, 128), (8, 8, 128), (128,), (10,)),
    ]


def test_inception10_takes_more_groups(outline):
    model = outline("inception10", groups=3, width=2.0)
    assert shapes(model)["stem"] == (32, 32, 32)
    assert shapes(model)["stage3_block2"] == (4, 4, 512)


def test_resnet18(outline):
    model = outline("resnet18")
    assert list(shapes(model).values()) == [
        *((32, 32, 3), (32, 32, 64), (32, 32, 64), (32, 32, 64), (16, 16, 128), (16, 16, 128)),
        *((8, 8, 256), (8, 8, 256), (4, 4, 512), (4, 4, 512), (512,), (10,)),
    ]
    blocks = [layer for layer in model.layers if "_block" in layer.name]
    projected = [block.shortcut is not None for block in blocks]
    assert projected == [False, False, True, False, True, False, True, False]
    assert not any("bias" in weight.path for layer in blocks for weight in layer.weights)
    regularizer = model.get_layer("classifier").kernel_regularizer
    assert isinstance(regularizer, keras.regularizers.L2)
    assert float(regularizer.l2) == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("name", "blocks", "channels"),
    [("resnet34", [3, 4, 6, 3], 512), ("resnet50", [3, 4, 6, 3], 2048)],
)
def test_deeper_resnets(name, blocks, channels, outline):
    names = [layer.name for layer in outline(name).layers]
    found = [sum(n.startswith(f"stage{stage}_") for n in names) for stage in range(1, 5)]
    assert found == blocks
    assert shapes(outline(name))["global_pool"] == (channels,)


def test_the_stem_for_large_images(outline):
    model = outline("resnet18", stem="imagenet", input_shape=(224, 224, 3))
    assert shapes(model)["stem_conv"] == (112, 112, 64)
    assert shapes(model)["stem_pool"] == (56, 56, 64)
    assert shapes(model)["stage4_block2"] == (7, 7, 512)


def test_resnet_takes_blocks_and_width(outline):
    model = outline("resnet18", blocks=(1, 2, 1), width=0.25)
    assert shapes(model)["stage3_block1"] == (8, 8, 64)
    assert "stage4_block1" not in shapes(model)


def test_drop_path_rises_from_the_first_block_to_the_last(outline):
    model = outline("resnet18", drop_path=0.35)
    rates = [layer.drop_path for layer in model.layers if "_block" in layer.name]
    assert rates == pytest.approx([0.05 * place for place in range(8)])


def test_resnet9(outline):
    assert list(shapes(outline("resnet9")).values()) == [
        *((32, 32, 3), (32, 32, 64), (32, 32, 128), (16, 16, 128), (16, 16, 128)),
        *((16, 16, 256), (8, 8, 256), (8, 8, 512), (4, 4, 512), (4, 4, 512)),
        *((512,), (10,), (10,), (10,)),
    ]


@pytest.mark.parametrize("name", networks.list_networks())
def test_channels_first_has_the_same_shapes_turned(name, outline):
    height, width, channels = networks.get(name).native_input_shape
    turned = outline(name, input_shape=(channels, height, width), data_format="channels_first")
    expected = {
        layer: (shape[2], shape[0], shape[1]) if len(shape) == 3 else shape
        for layer, shape in shapes(outline(name)).items()
    }
    assert shapes(turned) == expected
    assert [w.shape for w in turned.weights] == [w.shape for w in outline(name).weights]
