import math

from hypothesis import given
from hypothesis import strategies as st

from cnnblocks.runs import forget_epochs, read_history, record_epoch

metric = st.floats(allow_nan=False)


@given(st.lists(st.dictionaries(st.sampled_from(["loss", "accuracy", "val_loss"]), metric)))
def test_rows_come_back_bit_by_bit(tmp_path_factory, metrics):
    path = tmp_path_factory.mktemp("run") / "history.csv"
    rows = [{"epoch": number, **values} for number, values in enumerate(metrics, start=1)]
    for row in rows:
        record_epoch(path, row)
    assert read_history(path) == rows


def test_an_epoch_trained_again_replaces_its_row_and_those_after(tmp_path):
    path = tmp_path / "history.csv"
    for epoch in (1, 2, 3):
        record_epoch(path, {"epoch": epoch, "loss": float(epoch)})
    record_epoch(path, {"epoch": 2, "loss": 0.5})
    assert read_history(path) == [{"epoch": 1, "loss": 1.0}, {"epoch": 2, "loss": 0.5}]
    forget_epochs(path, after=1)
    assert read_history(path) == [{"epoch": 1, "loss": 1.0}]


def test_the_file_is_plain_csv_with_fixed_first_columns(tmp_path):
    path = tmp_path / "history.csv"
    record_epoch(path, {"epoch": 1, "val_loss": math.nan, "seconds": 2.5})
    assert path.read_text() == (
        "epoch,seconds,images_per_second,learning_rate,val_loss\n1,2.5,,,nan\n"
    )


def test_a_missing_or_damaged_file_has_no_rows(tmp_path):
    assert read_history(tmp_path / "history.csv") == []
    (tmp_path / "history.csv").write_text("epoch,loss\nx,1\n2,0.5,7\n3\n")
    assert [row["epoch"] for row in read_history(tmp_path / "history.csv")] == [2, 3]
