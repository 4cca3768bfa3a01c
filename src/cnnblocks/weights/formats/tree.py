"""Any other HDF5 file, as a plain tree of arrays."""

from pathlib import Path

from cnnblocks.weights.hdf5 import Hdf5File
from cnnblocks.weights.naming import axes_of, group_layers, natural, role_of, trainable_of
from cnnblocks.weights.table import Tensor, WeightTable


def read(path: Path, file: Hdf5File) -> WeightTable:
    """Read the table: a group with arrays counts as a layer, the arrays' names as roles."""
    tensors = []
    for dataset in sorted(file.datasets.values(), key=lambda d: natural(d.path)):
        role = role_of(dataset.path)
        tensors.append(
            Tensor(
                path=dataset.path,
                name=dataset.path,
                layer=dataset.path.rpartition("/")[0],
                role=role,
                shape=dataset.shape,
                axes=axes_of(None, role, dataset.shape),
                dtype=dataset.dtype,
                trainable=trainable_of(role, None),
                values=dataset.values,
            )
        )
    return WeightTable(path, "hdf5", tensors, group_layers(tensors), {}, close=file.close)
