"""Prompt templates: Jinja in its sandbox, where a name that a row lacks is an error.

Values of rows are data: template syntax inside them is text. Nothing is escaped, as a prompt is not HTML,
and the one line break that ends the source is not sent. There are no includes, and of Jinja's global
functions only `range` and `namespace`, only where they are called, so that a column may have any name.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any

from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError, UndefinedError, meta, nodes
from jinja2 import Template as Compiled
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context
from jinja2.sandbox import SandboxedEnvironment, safe_range
from jinja2.utils import Namespace

from trivet.errors import DataError, TaskError
from trivet.tasks.near import did_you_mean
from trivet.tasks.values import as_json, written
from trivet.tasks.where import Where

MAX_POWER = 64
MAX_REPEAT = 1_000_000
MAX_SOURCE = 10_000_000
"""The largest exponent and the longest repetition that a template may ask for, and its own characters."""

_FUNCTIONS = {"range": safe_range, "namespace": Namespace}
_STEADY = frozenset({"join", "tojson", "upper", "lower", "title", "capitalize", "length", "count", "first", "last"})
_SEQUENCES = (str, bytes, list, tuple)


class _Sandbox(SandboxedEnvironment):
    intercepted_binops = frozenset({"*", "**"})

    def getattr(self, obj: Any, attribute: str) -> Any:
        # `order.items` means the field of that name, not the method of Python's dictionaries
        if isinstance(obj, dict) and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        if operator == "**" and abs(right) > MAX_POWER:
            raise OverflowError(f"an exponent is at most {MAX_POWER}")
        if operator == "*":
            for text, times in ((left, right), (right, left)):
                if isinstance(text, _SEQUENCES) and len(text) * times > MAX_REPEAT:
                    raise OverflowError(f"a repetition has at most {MAX_REPEAT:,} elements")
        return super().call_binop(context, operator, left, right)


def _environment() -> _Sandbox:
    # A template is compiled once for each task, so a shared cache of compiled ones would only hold memory.
    environment = _Sandbox(undefined=StrictUndefined, autoescape=False, finalize=written, cache_size=0)
    environment.globals.clear()
    environment.filters["tojson"] = as_json  # the engine's own one escapes for HTML
    return environment


_ENVIRONMENT = _environment()


class Template:
    """A compiled template.

    `variables`: the columns it uses, in order of appearance; `optional`: those of them it can do without
    (`x is defined`, `x | default(...)`). `provided`: names that the task gives, which win over columns. `layout`: its
    constant texts and the columns between them, where it only inserts columns as they are, else None.
    Raises `TaskError` where the source can't be compiled.
    """

    __slots__ = ("_compiled", "_lines", "_provided", "layout", "optional", "source", "variables", "where")

    def __init__(self, source: str, where: Where | None = None, provided: Mapping[str, Any] | None = None) -> None:
        self.where = where or Where()
        if not isinstance(source, str):
            raise TaskError(f"the {self.where.what} must be text, not {type(source).__name__}")
        if len(source) > MAX_SOURCE:
            raise TaskError(
                f"the {self.where.what} has {len(source):,} characters, more than a template may have "
                f"({MAX_SOURCE:,}): put data into rows"
            )
        self.source = source
        tree, undeclared = self._parsed()
        called = {node.node.name for node in tree.find_all(nodes.Call) if isinstance(node.node, nodes.Name)}
        given = {name: _FUNCTIONS[name] for name in undeclared & called & _FUNCTIONS.keys()}
        self._provided = {**given, **(provided or {})}
        self._lines: dict[str, int] = {}
        for node in tree.find_all(nodes.Name):
            if node.name in undeclared and node.name not in self._provided:
                line = self._lines.get(node.name, node.lineno)
                self._lines[node.name] = min(line, node.lineno)
        self.variables = tuple(self._lines)
        self.optional = frozenset(_tested(tree)).intersection(self.variables)
        self.layout = self._laid_out(tree)
        self._compiled = self._compile(tree)

    def render(self, row: Mapping[str, Any]) -> str:
        """The text for one row; raises `DataError` where the row does not fit the template."""
        try:
            context = self._compiled.new_context({**row, **self._provided}, shared=True)
            return "".join(self._compiled.root_render_func(context))
        except Exception as error:  # noqa: BLE001 - a template is its author's code: anything may come out
            raise self._explained(error, row) from None

    def __repr__(self) -> str:
        return f"Template({self.where.what}, variables={self.variables})"

    def _parsed(self) -> tuple[nodes.Template, set[str]]:
        try:
            tree = _ENVIRONMENT.parse(self.source)
            undeclared = meta.find_undeclared_variables(tree)
        except TemplateSyntaxError as error:
            raise self._invalid(error.lineno, _unknown_name(error.message or "it can't be read")) from None
        except (RecursionError, ValueError, OverflowError, MemoryError) as error:
            raise self._invalid(1, str(error)) from None
        for node in tree.find_all((nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)):
            raise self._invalid(node.lineno, "templates can't include or import others: write the text here")
        return tree, undeclared

    def _compile(self, tree: nodes.Template) -> Compiled:
        try:
            code = _ENVIRONMENT.compile(tree, self.where.what, self.where.what)
            return Compiled.from_code(_ENVIRONMENT, code, {})
        except TemplateSyntaxError as error:
            raise self._invalid(error.lineno, _unknown_name(error.message or "it can't be read")) from None
        except (TemplateError, SyntaxError, RecursionError, ValueError, OverflowError, MemoryError) as error:
            raise self._invalid(1, str(error)) from None

    def _laid_out(self, tree: nodes.Template) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
        constants, columns = [""], list[str]()
        for node in tree.body:
            if not isinstance(node, nodes.Output):
                return None
            for child in node.nodes:
                if isinstance(child, nodes.TemplateData):
                    constants[-1] += child.data
                elif isinstance(child, nodes.Name) and child.name in self.variables:
                    constants.append("")
                    columns.append(child.name)
                elif _is_steady(child, self._provided):
                    try:
                        alone = nodes.Template([nodes.Output([child], lineno=1)], lineno=1)
                        alone.set_environment(_ENVIRONMENT)
                        constants[-1] += self._compile(alone).render(self._provided)
                    except Exception:  # noqa: BLE001 - each row is told, by the way that all templates take
                        return None
                else:
                    return None
        return tuple(constants), tuple(columns)

    def _invalid(self, line: int, message: str) -> TaskError:
        sentence = message.rstrip(".").replace("\n", " ")
        return TaskError(f"the {self.where.what} is not a valid template at {self.where.at(line)}: {sentence}")

    def _explained(self, error: Exception, row: Mapping[str, Any]) -> DataError | TaskError:
        if not isinstance(row, Mapping):
            return DataError(f"a row must be a mapping of columns to values, not {type(row).__name__}")
        message = str(error).rstrip(".").replace("\n", " ")[:300] or type(error).__name__
        if isinstance(error, UndefinedError):
            for name in self.variables:
                if name not in row and f"'{name}' is undefined" == message:
                    return self._lacking(name, row)
        line = self._line_of(error.__traceback__)
        if isinstance(error, SecurityError):
            return TaskError(f"the {self.where.what} does what templates may not at {self.where.at(line)}: {message}")
        if isinstance(error, RecursionError):
            message = "it calls itself without end"
        return DataError(f"the {self.where.what} can't be filled in with this row at {self.where.at(line)}: {message}")

    def _lacking(self, name: str, row: Mapping[str, Any]) -> DataError:
        used = f"used in the {self.where.what} at {self.where.at(self._lines[name])}"
        columns = [str(column) for column in row]
        shown = ", ".join(repr(column[:40]) for column in columns[:8]) + (", ..." if len(columns) > 8 else "")
        if name == "labels":
            return DataError(f"row lacks column 'labels' ({used}), and the task's output has no labels")
        has = f"it has {shown}{did_you_mean(name, columns)}" if columns else "it is empty"
        return DataError(f"row lacks column '{name}' ({used}): {has}")

    def _line_of(self, trace: TracebackType | None) -> int:
        line = 1
        while trace is not None:
            if trace.tb_frame.f_globals.get("__jinja_template__") is self._compiled:
                line = self._compiled.get_corresponding_lineno(trace.tb_lineno)
            trace = trace.tb_next
        return line


def _is_steady(expression: nodes.Node, provided: Mapping[str, Any]) -> bool:
    """Whether it says the same for every row."""
    return all(
        isinstance(node, nodes.Const)
        or (isinstance(node, nodes.Name) and node.name in provided)
        or (isinstance(node, nodes.Filter) and node.name in _STEADY)
        for node in (expression, *expression.find_all(nodes.Node))
    )


def _tested(tree: nodes.Template) -> set[str]:
    tested = [node.node for node in tree.find_all(nodes.Test) if node.name in ("defined", "undefined")]
    defaults = [node.node for node in tree.find_all(nodes.Filter) if node.name in ("default", "d")]
    return {node.name for node in [*tested, *defaults] if isinstance(node, nodes.Name)}


def _unknown_name(message: str) -> str:
    """Jinja's message, with the nearest name where a filter or a test is not known."""
    for kind, known in (("filter", _ENVIRONMENT.filters), ("test", _ENVIRONMENT.tests)):
        start = f"No {kind} named '"
        if message.startswith(start):
            name = message.removeprefix(start).partition("'")[0]
            return f"there is no {kind} '{name}'{did_you_mean(name, known)}"
    return message
