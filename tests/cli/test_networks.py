import json
import subprocess
import sys

import pytest
from click.testing import CliRunner

from cnnblocks import networks
from cnnblocks.cli import cnnblocks


@pytest.fixture
def run():
    return lambda *arguments: CliRunner().invoke(cnnblocks, ["networks", *arguments])


def test_the_list_has_a_line_for_each_network(run):
    result = run()
    assert result.exit_code == 0
    lines = [line.split() for line in result.stdout.splitlines() if line.strip()]
    assert lines[0] == ["name", "family", "year", "native", "input", "parameters", "paper"]
    assert [line[0] for line in lines[2:]] == networks.list_networks()
    resnet = next(line for line in lines if line[0] == "resnet18")
    assert resnet[1:5] == ["ResNet", "2015", "32x32x3", "11,183,562"]


def test_a_pattern_chooses(run):
    assert "vgg13" in run("vgg*").stdout
    assert "resnet" not in run("vgg*").stdout


def test_json_holds_all_facts(run):
    content = json.loads(run("lenet*", "--json").stdout)
    assert content["schema"] == 1
    assert [entry["name"] for entry in content["networks"]] == ["lenet", "lenet5"]
    facts = content["networks"][1]
    assert facts["min_size"] == 16
    assert facts["paper"]["year"] == 1998
    assert facts["native_input_shape"] == [32, 32, 3]
    assert facts["arguments"] == {"activation": "sigmoid", "units": [120, 84], "width": 1.0}


def test_one_network_tells_its_story(run):
    result = run("resnet18")
    assert "residual block" in result.stdout
    assert "Kaiming He" in result.stdout
    assert "smallest input    1x1" in result.stdout
    assert "cnnblocks train resnet18" in result.stdout
    assert max(map(len, result.stdout.splitlines())) < 80


def test_an_unknown_name_is_one_line_and_status_2():
    finished = subprocess.run(
        [sys.executable, "-m", "cnnblocks", "networks", "resnet-18"],
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert finished.returncode == 2
    assert finished.stdout == ""
    expected = "Error: No network is named 'resnet-18'. Did you mean 'resnet18' or 'resnet9'?\n"
    assert finished.stderr == expected
