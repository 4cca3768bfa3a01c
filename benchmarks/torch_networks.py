"""The peers on a GPU: every network as one would write it in plain PyTorch.

Padding is symmetric, as PyTorch has it, so that sizes equal those of Keras' `same` padding. The
first convolution and the first dense layer find their inputs' size themselves (`nn.Lazy...`): run
one batch through a network before compiling it.
"""

import torch
from torch import nn


def conv(filters, size, stride=1, padding=None, norm=False, bias=True, activation=True):
    padding = size // 2 if padding is None else padding
    layers = [nn.LazyConv2d(filters, size, stride, padding, bias=bias)]
    if norm:
        layers.append(nn.LazyBatchNorm2d())
    if activation:
        layers.append(nn.ReLU(inplace=True))
    return nn.Sequential(*layers)


def head(classes, units, dropout, activation=nn.ReLU):
    layers = [nn.Flatten()]
    for width in units:
        layers += [nn.LazyLinear(width), activation()]
        layers += [nn.Dropout(dropout)] if dropout else []
    return [*layers, nn.LazyLinear(classes)]


def global_pool(classes):
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LazyLinear(classes)]


class Branches(nn.Module):
    """Inception: four ways through the same input, joined on channels."""

    def __init__(self, filters, stride=1, norm=False):
        super().__init__()
        c1, (c2a, c2b), (c3a, c3b), c4 = filters
        same = {"norm": norm}
        self.branches = nn.ModuleList(
            [
                conv(c1, 1, stride, **same),
                nn.Sequential(conv(c2a, 1, stride, **same), conv(c2b, 3, **same)),
                nn.Sequential(conv(c3a, 1, stride, **same), conv(c3b, 5, **same)),
                nn.Sequential(nn.MaxPool2d(3, 1, 1), conv(c4, 1, stride, **same)),
            ]
        )

    def forward(self, x):
        return torch.cat([branch(x) for branch in self.branches], 1)


class Residual(nn.Module):
    """ResNet's block, basic or bottleneck."""

    def __init__(self, filters, stride=1, project=False, bottleneck=False):
        super().__init__()
        bare = {"norm": True, "bias": False}
        if bottleneck:
            out = 4 * filters
            parts = [conv(filters, 1, **bare), conv(filters, 3, stride, **bare)]
            parts.append(conv(out, 1, **bare, activation=False))
        else:
            out = filters
            parts = [conv(filters, 3, stride, **bare), conv(out, 3, **bare, activation=False)]
        self.body = nn.Sequential(*parts)
        self.shortcut = conv(out, 1, stride, **bare, activation=False) if project else None

    def forward(self, x):
        shortcut = self.shortcut(x) if self.shortcut else x
        return torch.relu(self.body(x) + shortcut)


def baseline(classes=10):
    stem = [conv(6, 5, norm=True), nn.MaxPool2d(2, 2), nn.Dropout(0.2)]
    return nn.Sequential(*stem, *head(classes, [128], 0.2))


def lenet5(classes=10):
    layers = []
    for filters in (6, 16):
        layers += [nn.LazyConv2d(filters, 5), nn.Sigmoid(), nn.MaxPool2d(2, 2)]
    return nn.Sequential(*layers, *head(classes, [120, 84], 0, nn.Sigmoid))


def alexnet(classes=10):
    body = [conv(96, 11, 4, 0), nn.MaxPool2d(3, 2), conv(256, 5), nn.MaxPool2d(3, 2)]
    body += [conv(384, 3), conv(384, 3), conv(256, 3), nn.MaxPool2d(3, 2)]
    return nn.Sequential(*body, *head(classes, [4096, 4096], 0.5))


def alexnet8(classes=10):
    body = []
    for filters in (96, 256):
        body += [conv(filters, 3, padding=0, norm=True), nn.MaxPool2d(3, 2)]
    body += [conv(384, 3), conv(384, 3), conv(256, 3), nn.MaxPool2d(3, 2)]
    return nn.Sequential(*body, *head(classes, [2048, 2048], 0.5))


def _vgg(convolutions, units, norm, dropout, block_dropout=0.0, divide=1, classes=10):
    body = []
    for count, filters in zip(convolutions, (64, 128, 256, 512, 512)):
        body += [conv(filters // divide, 3, norm=norm) for _ in range(count)]
        body.append(nn.MaxPool2d(2, 2, ceil_mode=norm))
        body += [nn.Dropout(block_dropout)] if block_dropout else []
    return nn.Sequential(*body, *head(classes, units, dropout))


def vgg11(classes=10):
    return _vgg((1, 1, 2, 2, 2), [4096, 4096], False, 0.5, classes=classes)


def vgg11_small(classes=10):
    return _vgg((1, 1, 2, 2, 2), [4096, 4096], False, 0.5, divide=4, classes=classes)


def vgg13(classes=10):
    return _vgg((2, 2, 2, 2, 2), [512, 512], True, 0.2, 0.2, classes=classes)


def vgg16(classes=10):
    return _vgg((2, 2, 3, 3, 3), [512, 512], True, 0.2, 0.2, classes=classes)


def vgg19(classes=10):
    return _vgg((2, 2, 4, 4, 4), [512, 512], True, 0.2, 0.2, classes=classes)


def nin(classes=10):
    body = []
    for filters, size, stride, padding in ((96, 11, 4, 0), (256, 5, 1, 2), (384, 3, 1, 1)):
        body += [conv(filters, size, stride, padding), conv(filters, 1), conv(filters, 1)]
        body.append(nn.MaxPool2d(3, 2))
    body += [nn.Dropout(0.5), conv(classes, 3), conv(classes, 1), conv(classes, 1)]
    return nn.Sequential(*body, nn.AdaptiveAvgPool2d(1), nn.Flatten())


def googlenet(classes=10):
    pool = nn.MaxPool2d(3, 2, 1)
    body = [conv(64, 7, 2), pool, conv(64, 1), conv(192, 3), pool]
    for part in _GOOGLENET:
        body += [*(Branches(filters) for filters in part), pool]
    return nn.Sequential(*body[:-1], *global_pool(classes))


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


def inception10(classes=10):
    body = [conv(16, 3, norm=True)]
    for filters in (16, 32):
        equal = (filters, (filters, filters), (filters, filters), filters)
        body += [Branches(equal, 2, norm=True), Branches(equal, norm=True)]
    return nn.Sequential(*body, *global_pool(classes))


def _resnet(blocks, bottleneck=False, classes=10, stem="cifar"):
    body = [conv(64, 3, norm=True, bias=False)]
    if stem == "imagenet":
        body = [conv(64, 7, 2, norm=True, bias=False), nn.MaxPool2d(3, 2, 1)]
    for group, count in enumerate(blocks):
        for block in range(count):
            stride = 2 if group and not block else 1
            project = not block and (group > 0 or bottleneck)
            body.append(Residual(64 * 2**group, stride, project, bottleneck))
    return nn.Sequential(*body, *global_pool(classes))


def resnet18(classes=10, stem="cifar"):
    return _resnet((2, 2, 2, 2), classes=classes, stem=stem)


def resnet34(classes=10, stem="cifar"):
    return _resnet((3, 4, 6, 3), classes=classes, stem=stem)


def resnet50(classes=10, stem="cifar"):
    return _resnet((3, 4, 6, 3), bottleneck=True, classes=classes, stem=stem)


def resnet9(classes=10):
    bare = {"norm": True, "bias": False}
    body = [conv(64, 3, **bare), conv(128, 3, **bare), nn.MaxPool2d(2), Residual(128)]
    body += [conv(256, 3, **bare), nn.MaxPool2d(2)]
    body += [conv(512, 3, **bare), nn.MaxPool2d(2), Residual(512)]
    return nn.Sequential(
        *body, nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.LazyLinear(classes, bias=False)
    )


TORCH = {
    network.__name__: network
    for network in (
        baseline,
        lenet5,
        alexnet,
        alexnet8,
        vgg11,
        vgg11_small,
        vgg13,
        vgg16,
        vgg19,
        nin,
        googlenet,
        inception10,
        resnet9,
        resnet18,
        resnet34,
        resnet50,
    )
}
TORCH["lenet"] = lenet5
