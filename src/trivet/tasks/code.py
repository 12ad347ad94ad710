"""Importing the pydantic model that a task file names; the only place where a task file runs code."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

from trivet.errors import MissingExtra, TaskError
from trivet.tasks.model import Model


def imported_model(spec: str, folder: Path) -> Model:
    """The contract of the model "package.module:Model"; the task file's folder is searched last.

    Raises `TaskError` where there is no such module or model, or where importing it fails.
    """
    module_name, _, name = spec.partition(":")
    if not (all(map(str.isidentifier, module_name.split("."))) and name.isidentifier()):
        raise TaskError(f"type must look like 'package.module:Model', not {spec!r:.80}")
    found = getattr(_imported(module_name, folder), name, None)
    if found is None:
        raise TaskError(f"the module '{module_name}' has no '{name}'")
    return Model(found)


def _imported(name: str, folder: Path) -> Any:
    place = str(folder.resolve())
    sys.path.append(place)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name == "pydantic":
            raise MissingExtra(f"the module '{name}'", "pydantic") from None
        raise TaskError(f"can't import '{name}': there is no module '{error.name}'") from None
    except Exception as error:  # noqa: BLE001 - importing runs the user's code: anything may come out
        what = f"{type(error).__name__}: {error}".replace("\n", " ")
        raise TaskError(f"can't import '{name}': {what:.200}") from None
    finally:
        sys.path.remove(place)
