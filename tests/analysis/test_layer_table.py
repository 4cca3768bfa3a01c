import csv
import io
import json

import pytest

import cnnblocks
from cnnblocks import networks
from cnnblocks.analysis import AnalysisError


@pytest.fixture(scope="module")
def table():
    return cnnblocks.summarize(networks.outline("resnet18"), batch_size=32)


def test_json_is_plain_and_complete(table):
    content = json.loads(json.dumps(table.to_json()))
    assert content["schema"] == 1
    assert (content["model"], content["batch_size"]) == ("resnet18", 32)
    assert content["input_shapes"] == [[32, 32, 3]]
    assert content["totals"]["parameters"] == 11_183_562
    block = content["rows"][2]
    assert block["path"] == "stage1_block1"
    assert [child["name"] for child in block["children"]] == ["conv1", "conv2", "add", "relu"]
    conv = block["children"][0]["children"][0]
    assert conv["path"] == "stage1_block1/conv1/conv"
    assert conv["multiply_adds"] == 32 * 32 * 9 * 64 * 64
    assert set(conv) == {
        *("name", "path", "type", "depth", "kernel_size", "strides", "padding", "dilation_rate"),
        *("groups", "use_bias", "data_format", "input_shapes", "output_shape", "dtype"),
        *("parameters", "parameter_share", "trainable_parameters", "trainable"),
        *("multiply_adds", "multiply_add_share", "receptive_field", "receptive_stride"),
        *("activation_bytes", "inputs", "reused", "children"),
    }


def test_csv_can_be_read_back(table):
    lines = list(csv.DictReader(io.StringIO(table.to_csv())))
    assert len(lines) == len(list(table.walk()))
    outer = [line for line in lines if line["depth"] == "0"]
    assert sum(int(line["parameters"]) for line in outer) == 11_183_562
    assert outer[1]["output_shape"] == "32x32x64"
    assert len(table.to_csv(depth=0).splitlines()) == len(table.rows) + 1


def test_markdown_has_a_line_for_each_row_and_the_totals(table):
    lines = table.to_markdown(depth=0).splitlines()
    assert lines[0].startswith("| Layer | Type | Kernel |")
    cells = [line.split("|") for line in lines if line.startswith("|")]
    assert len(cells) == len(table.rows) + 2
    assert len({len(line) for line in cells}) == 1
    assert "555,422,720 multiply-adds for one image" in lines[-2]


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_text_fits_by_leaving_columns_out(table, width):
    lines = table.to_text(width=width).splitlines()
    assert max(map(len, lines)) <= width
    assert lines[0].startswith("Layer")
    assert "Output" in lines[0]
    assert ("Memory" in lines[0]) == (width >= 120)
    assert len(lines) == len(list(table.walk())) + 6


def test_text_is_indented_by_depth(table):
    lines = table.to_text(depth=1).splitlines()
    assert any(line.startswith("stage1_block1 ") for line in lines)
    assert any(line.startswith("  conv1 ") for line in lines)
    assert not any(line.startswith("    conv ") for line in lines)


def test_printing_fits_a_terminal_of_80_columns(table):
    assert max(map(len, str(table).splitlines())) <= 80


def test_rows_are_found_by_path_or_by_a_name_of_their_own(table):
    assert table["stage1_block1/conv1"].type == "ConvBNRelu"
    assert table["classifier"].type == "Dense"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("batch_norm", "the name of 20 layers. Say which: stem_conv/batch_norm, "),
        ("stage1_blok1", "no layer 'stage1_blok1'. There are stage1_block1"),
    ],
)
def test_other_names_are_answered_with_what_is_near(table, name, message):
    with pytest.raises(AnalysisError, match=message):
        table[name]
