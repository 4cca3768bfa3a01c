"""What is in a data set, and how its images look."""

from cnnblocks.engine.arrays import save_array
from cnnblocks.engine.registry import Context, method

PREVIEW_SIZE = 48


@method("data.sources")
def list_sources(context: Context) -> dict[str, str]:
    """The data sets known by name, each with a line about it."""
    from cnnblocks import data

    return {known.name: known.description for known in data.known_sources()}


@method("data.describe")
def describe(context: Context, source: str) -> dict:
    """Classes, counts and shapes of a data set."""
    from cnnblocks import data

    return data.load(source).to_dict()


@method("data.preview")
def preview(context: Context, source: str, per_class: int = 2, seed: int = 0) -> dict:
    """Some images of every class, brought to one size without changing their proportions."""
    from cnnblocks import data

    dataset = data.load(source)
    images, labels = dataset.train.sample(per_class, seed)
    size = min(PREVIEW_SIZE, max(max(image.shape[:2]) for image in images))
    fitted = data.Preprocessing((size, size, dataset.image_shape[2]), resize="pad")
    return {
        "images": save_array(context, fitted.fit_size(images)),
        "labels": labels.tolist(),
        "class_names": list(dataset.class_names),
        "description": dataset.to_dict(),
    }
