"""What the engine tells of networks."""

import cnnblocks


def test_list_has_every_network_with_its_story(engine):
    facts = {entry["name"]: entry for entry in engine.ask("networks.list")}
    assert list(facts) == cnnblocks.list_networks()
    assert facts["resnet18"]["paper"]["year"] == 2015
    assert facts["alexnet8"]["min_size"] == 21
    assert all(entry["idea"] for entry in facts.values())


def test_summary_follows_the_input_and_the_classes(engine):
    table = engine.ask("networks.summary", network="lenet5", input_shape=[28, 28, 1])
    assert table["totals"]["parameters"] == 44_426
    table = engine.ask("networks.summary", network="vgg11", num_classes=1000)
    assert table["totals"]["parameters"] == 128_806_154 + 4097 * 990


def test_too_small_an_image_is_the_users_to_mend(engine):
    error = engine.error("networks.summary", network="alexnet", input_shape=[32, 32, 3])
    assert error["kind"] == "user"
    assert "67" in error["message"]
