from __future__ import annotations

import pytest
import torch
from torch import nn
from torchvision.models import resnet18, resnet50

from core.detection.network import ARCHITECTURES, NetworkSpec, build_network, parameter_count
from core.detection.resnet import BasicBlock, Bottleneck, ResNet
from core.errors import InputError


@pytest.mark.parametrize(("depth", "theirs"), [(18, resnet18), (50, resnet50)])
def test_torchvision_weights_fit_and_give_the_same_maps(depth: int, theirs: object) -> None:
    torch.manual_seed(0)
    reference = theirs(weights=None).eval()  # type: ignore[operator]
    ours = ResNet(depth, 1.0, inputs=3).eval()
    ours.load_imagenet(reference.state_dict())
    x = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        r = reference
        expected = r.layer4(r.layer3(r.layer2(r.layer1(r.maxpool(r.relu(r.bn1(r.conv1(x))))))))
        torch.testing.assert_close(ours(x)[-1], expected)


def test_colour_filters_are_summed_for_a_grey_slice() -> None:
    torch.manual_seed(0)
    weights = resnet18(weights=None).state_dict()
    grey, colour = ResNet(18, 1.0, inputs=1).eval(), ResNet(18, 1.0, inputs=3).eval()
    grey.load_imagenet(weights)
    colour.load_imagenet(weights)
    x = torch.randn(1, 1, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(grey(x)[0], colour(x.expand(1, 3, 64, 64))[0], atol=1e-4, rtol=1e-3)


def test_pretrained_weights_of_another_shape_are_refused() -> None:
    with pytest.raises(InputError, match=r"conv1\.weight needs .*width 1"):
        ResNet(18, 0.5).load_imagenet(resnet18(weights=None).state_dict())


def test_an_unknown_depth_is_refused() -> None:
    with pytest.raises(InputError, match="depth 19"):
        ResNet(19)


@pytest.mark.parametrize("block", [BasicBlock(8, 8, 1), Bottleneck(32, 8, 1)])
def test_a_block_adds_its_input(block: nn.Module) -> None:
    """Y = relu(F(x) + x): with F's last scale at zero the block is the identity on positive maps."""
    last = block.bn2 if isinstance(block, BasicBlock) else block.bn3
    assert isinstance(last, nn.BatchNorm2d)
    nn.init.zeros_(last.weight)
    block.eval()
    x = torch.rand(2, 8 if isinstance(block, BasicBlock) else 32, 5, 5)
    with torch.inference_mode():
        torch.testing.assert_close(block(x), x)


def test_strides() -> None:
    maps = ResNet(10, 0.125)(torch.zeros(2, 1, 64, 96))
    assert [tuple(m.shape[-2:]) for m in maps] == [(16, 24), (8, 12), (4, 6), (2, 3)]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_both_architectures_judge_regions(architecture: str) -> None:
    spec = NetworkSpec(architecture, depth=10, width=0.125, classes=3, image_size=64, crop=32)
    network = build_network(spec).eval()
    regions = [
        torch.tensor([[0.0, 0, 20, 30], [5, 5, 40, 40]]),
        torch.zeros(0, 4),
        torch.rand(5, 4) + torch.tensor([0, 0, 9, 9.0]),
    ]
    logits, deltas = network.judge(network.embed(torch.rand(3, 1, 64, 64)), regions)
    assert logits.shape == (7, 4)
    assert deltas.shape == (7, 3, 4)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_what_is_judged_depends_on_the_region_and_its_slice(architecture: str) -> None:
    torch.manual_seed(0)
    spec = NetworkSpec(architecture, depth=10, width=0.125, classes=1, image_size=64, crop=32)
    network = build_network(spec)
    nn.init.normal_(network.score.weight)  # type: ignore[union-attr, arg-type]
    network.eval()
    images = torch.zeros(2, 1, 64, 64)
    images[0, 0, 8:24, 8:24] = 1.0
    here, there = torch.tensor([[8.0, 8, 24, 24]]), torch.tensor([[40.0, 40, 56, 56]])
    with torch.inference_mode():
        embedding = network.embed(images)
        bright, dark = network.judge(embedding, [here, there])[0]
        again = network.judge(embedding, [torch.zeros(0, 4), here])[0][0]
    assert not torch.allclose(bright, dark)
    assert not torch.allclose(bright, again)


def test_the_bundled_shape_is_small() -> None:
    assert parameter_count(build_network(NetworkSpec(classes=3))) < 5_000_000


def test_an_unknown_architecture_is_refused() -> None:
    with pytest.raises(InputError, match="yolo"):
        build_network(NetworkSpec("yolo"))
