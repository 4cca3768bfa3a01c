"""Hostile and broken files are refused in one line: nothing runs, hangs or is read elsewhere."""

import io
import json
import os
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from cnnblocks import weights

WORKER = Path(__file__).with_name("fuzz_worker.py")
KERNEL = np.arange(24, dtype=np.float32).reshape(2, 3, 4)


@pytest.fixture
def file(tmp_path):
    """Return an open HDF5 file with a little in it; `refusal` closes and opens it."""
    with h5py.File(tmp_path / "hostile.weights.h5", "w") as opened:
        opened["layers/dense/vars/0"] = KERNEL
        yield opened


def refusal(path):
    """Return why a file is refused, when it is opened or when its values are read."""
    if isinstance(path, h5py.File):
        opened, path = path, path.filename
        opened.close()
    with pytest.raises(weights.WeightFileError) as caught, weights.open(path) as table:
        weights.statistics(table.tensors)
    message = str(caught.value)
    assert message.splitlines() == [message]
    assert message.isprintable()
    return message


def test_external_links(file, tmp_path):
    with h5py.File(tmp_path / "secret.h5", "w") as other:
        other["secret"] = KERNEL
    file["layers/stolen"] = h5py.ExternalLink("secret.h5", "/secret")
    assert "link" in refusal(file)


def test_soft_links(file):
    file["layers/again"] = h5py.SoftLink("/layers/dense")
    assert "link" in refusal(file)


def test_cycles_of_hard_links(file):
    file["layers/dense/around"] = file["layers"]
    assert "link back" in refusal(file)


def test_a_group_that_holds_itself(file):
    file["layers/self"] = file["/"]
    assert "link back" in refusal(file)


def test_many_paths_to_one_group_are_walked_once(file):
    group = file.create_group("deep")
    for _ in range(40):
        deeper = group.create_group("a")
        group["b"] = deeper
        group = deeper
    group["x"] = KERNEL
    name = file.filename
    file.close()
    with weights.open(name) as table:
        assert len(table.tensors) == 2


def test_groups_nested_without_end(file):
    file["/".join("x" * 500)] = KERNEL
    assert "nested" in refusal(file)


def test_values_in_another_file(file, tmp_path):
    (tmp_path / "passwd").write_bytes(b"root:secret" * 100)
    space = h5py.h5s.create_simple((10,))
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_external(str(tmp_path / "passwd").encode(), 0, 40)
    h5py.h5d.create(file.id, b"stolen", h5py.h5t.NATIVE_FLOAT, space, properties)
    assert "another file" in refusal(file)


def test_virtual_datasets(file):
    layout = h5py.VirtualLayout(shape=(24,), dtype="f4")
    layout[:] = h5py.VirtualSource("other.h5", "x", shape=(24,))
    file.create_virtual_dataset("virtual", layout)
    assert "another file" in refusal(file)


@pytest.mark.parametrize("dtype", [h5py.string_dtype(), h5py.vlen_dtype("f4"), h5py.ref_dtype])
def test_objects_and_variable_lengths(file, dtype):
    file.create_dataset("odd", (3,), dtype)
    assert "refused" in refusal(file)


def test_a_structure_with_an_object_inside(file):
    file.create_dataset("odd", (3,), np.dtype([("a", "f4"), ("b", h5py.ref_dtype)]))
    assert "refused" in refusal(file)


def test_arrays_of_other_things_are_left_out(file):
    file["labels"] = np.array([b"cat", b"dog"])
    name = file.filename
    file.close()
    with weights.open(name) as table:
        assert table.metadata["skipped"] == ["labels"]
        assert len(table.tensors) == 1


@pytest.mark.parametrize("shape", [(1 << 40,), (1 << 20, 1 << 20, 1 << 10)])
def test_absurd_shapes(file, shape):
    file.create_dataset("huge", shape, "f4", chunks=(1,) * len(shape))
    assert "claims" in refusal(file)


def test_absurd_shapes_without_storage(file):
    file.create_dataset("huge", (1 << 40,), "f4")
    assert "claims" in refusal(file)


def test_absurd_shapes_that_pack_well(file):
    data = file.create_dataset("zeros", (1 << 14, 1 << 14), "f4", chunks=True, compression=9)
    data[:10] = 0
    assert "claims" in refusal(file)


def test_absurd_chunks(file):
    file.create_dataset("chunky", (10,), "f4", chunks=(1 << 29,), maxshape=(None,))
    assert "pieces" in refusal(file)


def test_filters_that_need_a_library_from_elsewhere(file):
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_chunk((10,))
    properties.set_filter(32015, h5py.h5z.FLAG_OPTIONAL, (3,))
    space = h5py.h5s.create_simple((10,))
    h5py.h5d.create(file.id, b"packed", h5py.h5t.NATIVE_FLOAT, space, properties)
    assert "plug-in" in refusal(file)


@pytest.mark.parametrize("name", ["..", "a\x1b[2J", "new\nline", "back\\slash", "\u202eright"])
def test_misleading_names(file, name):
    file["layers"].create_group(name)
    assert "mislead" in refusal(file)


def test_names_that_are_not_utf8(file):
    h5py.h5g.create(file.id, b"\xff\xfe")
    assert "UTF-8" in refusal(file)


def test_control_characters_in_a_legacy_list_of_names(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.attrs["layer_names"] = ["\x1b]0;owned\x07"]
    assert "plain names" in refusal(tmp_path / "x.h5")


def test_a_legacy_list_that_leads_out_of_its_group(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.attrs["layer_names"] = ["a"]
        file.create_group("a").attrs["weight_names"] = ["../../etc/passwd"]
    assert "does not hold it" in refusal(tmp_path / "x.h5")


def test_control_characters_in_what_a_file_says_of_itself(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.attrs["layer_names"] = np.array([b"a"])
        file.attrs["keras_version"] = "\x1b[31m2.0"
        file.create_group("a").attrs["weight_names"] = np.array([b"a/kernel:0"])
        file["a/a/kernel:0"] = KERNEL
    with weights.open(tmp_path / "x.h5") as table:
        assert table.metadata["keras_version"] is None


def test_a_damaged_heap_of_names_does_not_hang(file):
    """HDF5's own code runs for ever on an empty object in such a heap."""
    group = file["layers/dense/vars"]
    group.attrs["name"] = "dense"
    name = file.filename
    file.close()
    data = bytearray(Path(name).read_bytes())
    heap = data.index(b"GCOL")
    data[heap + 16 : heap + 32] = bytes(16)
    Path(name).write_bytes(data)
    assert "not where it says" in refusal(name)


def test_many_names_that_are_one_large_text(file):
    group = file["layers/dense/vars"]
    group.attrs["names"] = ["x" * 1_000_003, *("y" * 77 for _ in range(200))]
    name = file.filename
    file.close()
    data = Path(name).read_bytes()
    small = data.index((77).to_bytes(4, "little"), data.index(b"names"))
    large = small - 16
    assert data[large : large + 4] == (1_000_003).to_bytes(4, "little")
    reference = data[large:small]
    Path(name).write_bytes(data[:small] + 200 * reference + data[small + 200 * 16 :])
    assert "far too large" in refusal(name)


def test_a_file_that_was_cut_short(tmp_path):
    whole = tmp_path / "whole.h5"
    with h5py.File(whole, "w") as file:
        file["x"] = np.zeros(10_000, np.float32)
    data = whole.read_bytes()
    for size in (0, 1, 7, 8, 100, 2_000, len(data) // 2, len(data) - 1):
        cut = tmp_path / "cut.h5"
        cut.write_bytes(data[:size])
        refusal(cut)


def test_a_file_that_shrinks_while_it_is_open(tmp_path):
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        file["x"] = np.zeros(1_000_000, np.float32)
    with weights.open(path) as table:
        os.truncate(path, 100_000)
        with pytest.raises(weights.WeightFileError, match="ends before"):
            weights.statistics(table.tensors)


def test_a_file_that_a_program_has_open_for_writing(tmp_path):
    path = tmp_path / "x.weights.h5"
    script = (
        "import h5py, sys; file = h5py.File(sys.argv[1], 'w'); "
        "file['layers/dense/vars/0'] = [1.0]; file.flush(); "
        "print('written', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as writer:
        assert writer.stdout.readline() == b"written\n"
        with weights.open(path) as table:
            assert table.tensors[0].read().tolist() == [1.0]
        writer.stdin.close()


def test_a_wrong_superblock(tmp_path):
    path = tmp_path / "x.h5"
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + b"\xff" * 1000)
    refusal(path)


def test_a_pickle_is_refused_and_not_run(tmp_path):
    class Bomb:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "run"),)

    path = tmp_path / "x.pkl"
    path.write_bytes(pickle.dumps(Bomb()))
    assert "pickle" in refusal(path)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["missing.h5", "nul\0.h5", "x" * 5000])
def test_paths_that_are_none(tmp_path, name):
    refusal(tmp_path / name)


def test_files_that_are_none(tmp_path):
    refusal(tmp_path)
    (tmp_path / "words.txt").write_text("hello\nworld\n")
    refusal(tmp_path / "words.txt")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.h5")
        assert "regular" in refusal(tmp_path / "pipe.h5")


# Archives.


def small_h5():
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        file["layers/dense/vars/0"] = KERNEL
    return stream.getvalue()


def archive(path, members, method=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", method) as target:
        for name, data in members.items():
            target.writestr(name, data)
    return path


@pytest.mark.parametrize("name", ["../../evil", "/etc/evil", "a\\..\\evil", "\x1b[2J"])
def test_paths_that_lead_out_of_an_archive(tmp_path, name):
    path = archive(tmp_path / "x.keras", {"model.weights.h5": small_h5(), name: b"x"})
    assert "named" in refusal(path)
    assert list(tmp_path.iterdir()) == [path]


def test_two_files_of_one_name_in_an_archive(tmp_path):
    with (
        zipfile.ZipFile(tmp_path / "x.keras", "w") as target,
        pytest.warns(UserWarning, match="Duplicate"),
    ):
        target.writestr("model.weights.h5", small_h5())
        target.writestr("model.weights.h5", small_h5())
    assert "same name" in refusal(tmp_path / "x.keras")


def test_zip_bombs(tmp_path):
    bomb = bytes(200 << 20)
    path = archive(tmp_path / "x.keras", {"model.weights.h5": bomb}, zipfile.ZIP_DEFLATED)
    assert "grow" in refusal(path)


def test_a_configuration_that_is_a_bomb(tmp_path):
    members = {"model.weights.h5": small_h5(), "config.json": b'{"a": "' + b"x" * (65 << 20)}
    path = archive(tmp_path / "x.keras", members, zipfile.ZIP_DEFLATED)
    assert "too large" in refusal(path)


def test_a_small_configuration_that_grows_a_thousandfold(tmp_path):
    members = {"model.weights.h5": small_h5(), "config.json": b" " * (8 << 20) + b"{}"}
    path = archive(tmp_path / "x.keras", members, zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 20_000
    assert "too large" in refusal(path)


def test_a_lying_archive(tmp_path):
    """The archive says that its weights are smaller than they unpack to."""
    path = archive(tmp_path / "x.keras", {"model.weights.h5": small_h5()}, zipfile.ZIP_DEFLATED)
    data = path.read_bytes()
    size = len(small_h5()).to_bytes(4, "little")
    assert data.count(size) >= 2
    path.write_bytes(data.replace(size, (100).to_bytes(4, "little")))
    refusal(path)


@pytest.mark.parametrize("config", ["[]", "{", "[" * 100_000, '{"config": 3}'])
def test_broken_configurations(tmp_path, config):
    members = {"model.weights.h5": small_h5(), "config.json": config}
    path = archive(tmp_path / "x.keras", members)
    if config == '{"config": 3}':
        with weights.open(path) as table:
            assert len(table.tensors) == 1
    else:
        assert "config.json" in refusal(path)


def test_code_in_a_configuration_is_not_run(tmp_path):
    layer = {
        "class_name": "Lambda",
        "config": {
            "name": "x",
            "function": {"class_name": "__lambda__", "config": {"code": "4wEA"}},
        },
    }
    config = json.dumps({"class_name": "Sequential", "config": {"layers": [layer]}})
    members = {"model.weights.h5": small_h5(), "config.json": config}
    with weights.open(archive(tmp_path / "x.keras", members)) as table:
        assert len(table.tensors) == 1
        assert table.model_config["config"]["layers"][0]["class_name"] == "Lambda"


def test_an_archive_of_something_else(tmp_path):
    assert "model.weights.h5" in refusal(archive(tmp_path / "x.zip", {"a": b"x"}))


def test_shards_elsewhere(tmp_path):
    for name in ("../secret.weights.h5", "/etc/passwd", "a/b.weights.h5", 7):
        path = tmp_path / "x.weights.json"
        path.write_text(json.dumps({"weight_map": {"/layers/dense/vars": name}}))
        assert "refused" in refusal(path)


def test_a_missing_shard(tmp_path):
    path = tmp_path / "x.weights.json"
    path.write_text(json.dumps({"weight_map": {"/layers/dense/vars": "x_00000.weights.h5"}}))
    assert "no such file" in refusal(path)


# Checkpoints.


def varint(number):
    found = b""
    while number > 127:
        found += bytes([number & 127 | 128])
        number >>= 7
    return found + bytes([number])


def block(entries):
    """A block of a checkpoint's index: of each key what is new, and how much the last one gives."""
    body = b"".join(
        varint(shared) + varint(len(own)) + varint(len(value)) + own + value
        for shared, own, value in entries
    )
    return body + bytes(4) + (1).to_bytes(4, "little")


HEADER = (0, b"", b"\x08\x01")


def index(directory, entries, times=1):
    """An index whose one block is listed several times."""
    data = block([HEADER, *entries])
    handles = block([(0, b"z%d" % n, varint(0) + varint(len(data))) for n in range(times)])
    footer = varint(0) * 2 + varint(len(data) + 5) + varint(len(handles))
    whole = data + bytes(5) + handles + bytes(5) + footer.ljust(40, b"\0")
    path = directory / "x.index"
    path.write_bytes(whole + (0xDB4775248B80FB57).to_bytes(8, "little"))
    return path


def test_names_of_a_checkpoint_that_grow_with_every_entry(tmp_path):
    path = index(tmp_path, [(length, b"a", b"") for length in range(10_000)])
    assert "has 4,097 bytes" in refusal(path)


def test_names_of_a_checkpoint_that_come_to_far_too_much(tmp_path):
    long = (0, b"a" * 4000, b"")
    path = index(tmp_path, [long, *((4000, b"%d" % n, b"") for n in range(20_000))])
    assert "far too long" in refusal(path)


def test_blocks_of_a_checkpoint_over_each_other(tmp_path):
    assert "over each other" in refusal(index(tmp_path, [], times=2))


def test_a_graph_of_a_checkpoint_that_is_far_too_large(tmp_path):
    size = 65 << 20
    entry = b"\x08\x07" + b"\x28" + varint(size)
    path = index(tmp_path, [(0, b"_CHECKPOINTABLE_OBJECT_GRAPH", entry)])
    with (tmp_path / "x.data-00000-of-00001").open("wb") as stream:
        stream.truncate(size)
    assert "graph of objects" in refusal(path)


# Text.


def test_a_text_dump_that_claims_too_much(tmp_path):
    path = tmp_path / "x.txt"
    path.write_text("a/kernel:0\n(999999999, 999999999)\n[[1.0]]\n")
    assert "too few" in refusal(path)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ("[1.0 2.0]", "2 values"),
        ("[1.0 2.0 3.0 4.0]", "values"),
        ("[1.0 x 3.0]", "no number"),
        ("[1.0 ... 3.0]", "threshold"),
        ("[1.0 2.0 " + "9" * 9000 + "z]", "no number"),
    ],
)
def test_text_that_is_not_the_values(tmp_path, values, reason):
    path = tmp_path / "x.txt"
    path.write_text(f"a/kernel:0\n(3,)\n{values}\n")
    assert reason in refusal(path)


# The command, and thousands of mutants.


def test_the_command_says_it_in_one_line(file):
    file["layers/again"] = h5py.SoftLink("/layers/dense")
    name = file.filename
    file.close()
    for arguments in (["show"], ["stats"], ["diff", name], ["slice"]):
        line = [sys.executable, "-m", "cnnblocks", "weights", arguments[0], name, *arguments[1:]]
        line += ["x"] if arguments == ["slice"] else []
        done = subprocess.run(line, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 2
        assert done.stdout == ""
        assert done.stderr.startswith("Error: ")
        assert len(done.stderr.splitlines()) == 1


def test_mutants_of_real_files(real_files, tmp_path):
    """Hundreds here; `CNNBLOCKS_FUZZ=20000 pytest -k mutants` makes as many as it says."""
    count = int(os.environ.get("CNNBLOCKS_FUZZ", "400"))
    seed = os.environ.get("CNNBLOCKS_FUZZ_SEED", "20")
    originals = [str(path) for path in real_files.seeds(tmp_path)]
    done = subprocess.run(
        [sys.executable, WORKER, seed, "0", str(count), *originals],
        capture_output=True,
        text=True,
        timeout=60 + count,
        check=False,
    )
    lines = done.stdout.splitlines()
    assert done.returncode == 0, f"{lines[-1:]}\n{done.stderr[-2000:]}"
    assert len(lines) == count
    assert sum(" read " in line for line in lines) > count // 20
    assert sum(" refused " in line for line in lines) > count // 20
