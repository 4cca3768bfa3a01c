"""What the engine tells of data sets."""

import numpy as np
from PIL import Image


def test_preview_shows_images_of_every_class(engine):
    answer = engine.ask("data.preview", source="digits", per_class=3)
    images = np.load(answer["images"])
    assert images.shape == (30, 8, 8, 1)
    assert images.dtype == np.uint8
    assert answer["labels"] == [label for label in range(10) for _ in range(3)]
    assert answer["class_names"] == [str(digit) for digit in range(10)]


def test_preview_keeps_the_proportions_of_a_folders_images(engine, tmp_path):
    for part, count in (("train", 3), ("test", 1)):
        for name, color in (("red", (255, 0, 0)), ("blue", (0, 0, 255))):
            folder = tmp_path / part / name
            folder.mkdir(parents=True)
            for number in range(count):
                Image.new("RGB", (200, 100), color).save(folder / f"{number}.png")
    answer = engine.ask("data.preview", source=str(tmp_path), per_class=1)
    blue, red = np.load(answer["images"])
    assert blue.shape == (48, 48, 3)
    assert blue[24, 24].tolist() == [0, 0, 255]
    assert red[24, 24].tolist() == [255, 0, 0]
    assert blue[0, 24].tolist() == [0, 0, 0]
    assert answer["description"]["splits"]["test"] == 2


def test_a_missing_folder_is_the_users_to_mend(engine, tmp_path):
    error = engine.error("data.describe", source=str(tmp_path / "nowhere"))
    assert error["kind"] == "user"
    assert "nowhere" in error["message"]
