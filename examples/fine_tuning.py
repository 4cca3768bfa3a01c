"""Fine-tune a network on a folder of images with another number of classes.

Shows: a network trained on seven classes, then given three others of which there are few images:
`weights=` takes over what fits, `freeze="backbone"` trains the new classifier alone. The folders
are made from the built-in digits: 0 to 6 first, then 7 to 9.
Takes: about 25 seconds on two CPU cores.
"""

import tempfile
from pathlib import Path

from PIL import Image
from sklearn.datasets import load_digits

import cnnblocks
from cnnblocks.training.evaluation import evaluate


def write_folder(folder: Path, classes: range, images_per_class: int) -> Path:
    """Write digits as `folder/<class>/<number>.png`."""
    digits = load_digits()
    for label in classes:
        (folder / str(label)).mkdir(parents=True)
        images = digits.images[digits.target == label][:images_per_class]
        for number, image in enumerate(images):
            pixels = (image * 255 / 16).astype("uint8")
            Image.fromarray(pixels).save(folder / str(label) / f"{number}.png")
    return folder


def classes_of(run: cnnblocks.Run) -> int:
    return run.model().output_shape[-1]


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        many = write_folder(folder / "many", range(7), images_per_class=150)
        few = write_folder(folder / "few", range(7, 10), images_per_class=60)
        common = {"seed": 1, "runs_dir": folder / "runs"}

        first = cnnblocks.train("lenet5", many, epochs=6, **common)
        tuned = cnnblocks.train(
            "lenet5",
            few,
            weights=first.path / "weights.weights.h5",
            freeze="backbone",
            epochs=15,
            **common,
        )
        print(f"Classes before and after: {classes_of(first)}, {classes_of(tuned)}")
        print(f"Test accuracy on the new classes: {evaluate(tuned.path).accuracy:.3f}")


if __name__ == "__main__":
    main()
