"""Runs a script or a module as the interpreter would: as `__main__`, with its own arguments, path and exit code.

What the program sees is what `python script.py` and `python -m module` document; tracebacks begin in the program.
"""

from __future__ import annotations

import builtins
import importlib.util
import io
import sys
import zipfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType, TracebackType
from typing import Any

Hook = Callable[[type[BaseException], BaseException, TracebackType | None], Any]

_OURS = frozenset((__file__, str(Path(__file__).with_name("command.py")), str(Path(__file__).with_name("__main__.py"))))


class NoProgram(Exception):
    """There is nothing to run. `status`: the interpreter's exit code for that."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


def run(program: Sequence[str]) -> None:
    """Run `["script.py", ...]` or `["-m", "module", ...]`. Raises what the program raises, and `NoProgram`."""
    try:
        module, code = _by_name(program[1:]) if program[0] == "-m" else _by_path(program)
        sys.modules["__main__"] = module
        exec(code, module.__dict__)  # noqa: S102 - the user's own program
    except (NoProgram, SystemExit):
        raise
    except BaseException:
        sys.excepthook = _without_us(sys.excepthook)
        raise
    finally:
        with suppress(AttributeError, OSError, ValueError):
            sys.stdout.flush()  # what the program said comes before what is said about it


def _by_path(program: Sequence[str]) -> tuple[ModuleType, CodeType]:
    path = Path(program[0])
    sys.argv[:] = program
    where = program[0] if path.is_absolute() else f"{Path.cwd()}/{program[0]}"  # not made shorter: nor by Python
    if path.is_dir() or zipfile.is_zipfile(path):
        _first_on_path(where)
        spec = PathFinder.find_spec("__main__", [where])
        if spec is None:
            raise NoProgram(f"can't find '__main__' module in {program[0]!r}", 1)
        return _of(spec)
    try:
        with io.open_code(where) as file:
            source = file.read()
    except OSError as error:
        raise NoProgram(f"can't open file {where!r}: [Errno {error.errno}] {error.strerror}", 2) from None
    _first_on_path(str(path.resolve().parent))
    module = _main(__file__=where, __loader__=SourceFileLoader("__main__", where), __cached__=None)
    return module, compile(source, where, "exec", dont_inherit=True)


def _by_name(program: Sequence[str]) -> tuple[ModuleType, CodeType]:
    if not program:
        raise NoProgram("argument expected for the -m option", 2)
    sys.argv[:] = ["-m", *program[1:]]  # as it is while the module is looked for
    module, code = _of(_spec(program[0]))
    sys.argv[0] = code.co_filename
    return module, code


def _spec(name: str) -> ModuleSpec:
    try:
        spec = importlib.util.find_spec(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise  # the package is there, and misses something itself
        spec = None
    except ValueError:
        spec = None
    if spec is None:
        raise NoProgram(f"No module named {name}", 1)
    if spec.submodule_search_locations is None:
        return spec
    if name.endswith(".__main__"):
        raise NoProgram("Cannot use package as __main__ module", 1)
    try:
        return _spec(f"{name}.__main__")
    except NoProgram as error:
        raise NoProgram(f"{error}; {name!r} is a package and cannot be directly executed", 1) from None


def _of(spec: ModuleSpec) -> tuple[ModuleType, CodeType]:
    get_code = getattr(spec.loader, "get_code", None)
    code = None if get_code is None else get_code(spec.name)
    if not isinstance(code, CodeType):
        raise NoProgram(f"No code object available for {spec.name}", 1)
    module = _main(
        __file__=spec.origin, __loader__=spec.loader, __cached__=spec.cached, __package__=spec.parent, __spec__=spec
    )
    return module, code


def _main(**names: object) -> ModuleType:
    module = ModuleType("__main__")
    module.__dict__.update({"__builtins__": builtins, "__package__": None, "__spec__": None, **names})
    return module


def _first_on_path(folder: str) -> None:
    if not sys.flags.safe_path:
        sys.path[0] = folder  # in place of the working folder, which `-m` puts there


def _without_us(hook: Hook) -> Hook:
    def tell(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        theirs = place = trace
        while place is not None:
            if place.tb_frame.f_code.co_filename in _OURS:
                theirs = place.tb_next
            place = place.tb_next
        hook(kind, error.with_traceback(theirs), theirs)

    return tell
