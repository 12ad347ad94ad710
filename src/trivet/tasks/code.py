"""Importing what a task file or an option names as "package.module:name"; the only place where they run code."""

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
    return Model(imported(spec, folder, "type", "Model"))


def imported(spec: str, folder: Path, what: str, example: str = "function") -> Any:
    """What stands at "package.module:name"; `what` it is for, in messages. Raises as `imported_model` does."""
    module_name, _, name = spec.partition(":")
    if not (all(map(str.isidentifier, module_name.split("."))) and name.isidentifier()):
        raise TaskError(f"{what} must look like 'package.module:{example}', not {spec!r:.80}")
    found = getattr(_imported(module_name, folder), name, None)
    if found is None:
        raise TaskError(f"the module '{module_name}' has no '{name}'")
    return found


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
