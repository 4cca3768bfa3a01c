"""Registering the blocks with Keras as soon as Keras is there.

Keras looks up a saved layer's class in its registry only, so our layers must be in it before
`keras.models.load_model` runs, whichever of the two packages is imported first. (A library for
post-import hooks takes longer to import than all of this package's root.)
"""

import sys
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from typing import Any

_BLOCKS = "cnnblocks.blocks"


class _KerasFinder(MetaPathFinder):
    """Finds Keras as everybody does, and has the blocks imported right after it."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if fullname != "keras":
            return None
        sys.meta_path.remove(self)
        try:
            spec = find_spec(fullname)
        finally:
            sys.meta_path.insert(0, self)
        if spec is not None and spec.loader is not None:
            self._extend(spec.loader)
        return spec

    def _extend(self, loader: Any) -> None:
        execute = loader.exec_module

        def exec_module(module: Any) -> None:
            execute(module)
            if self in sys.meta_path:
                sys.meta_path.remove(self)
            import_module(_BLOCKS)

        loader.exec_module = exec_module


def register_with_keras() -> None:
    """Import the blocks now if Keras is imported already, else right after it will be."""
    if "keras" in sys.modules:
        import_module(_BLOCKS)
    else:
        sys.meta_path.insert(0, _KerasFinder())
