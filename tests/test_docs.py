"""The docs say what there is, and what they show runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.main import get_command

from trivet.cli.main import app

ROOT = Path(__file__).parent.parent
CLI = (ROOT / "docs" / "cli.md").read_text()


def commands() -> list[tuple[str, list[str]]]:
    """Every command with its options."""
    found = []
    top = get_command(app)
    for name, command in top.commands.items():  # type: ignore[attr-defined]
        inner = getattr(command, "commands", None)
        for path, each in ({f"{name} {n}": c for n, c in inner.items()} if inner else {name: command}).items():
            options = [o for p in each.params for o in p.opts if o.startswith("--")]
            found.append((path, options))
    return found


@pytest.mark.parametrize(("command", "options"), commands(), ids=lambda value: value if isinstance(value, str) else "")
def test_every_command_and_option_is_in_the_docs(command: str, options: list[str]) -> None:
    """docs/cli.md names each command and each of its options."""
    assert f"trivet {command}" in CLI
    missing = [option for option in options if option != "--help" and option not in CLI]
    assert missing == []


def test_every_command_has_an_example() -> None:
    """`--help` of each command ends with an example that begins with the command itself."""
    top = get_command(app)
    for name, command in top.commands.items():  # type: ignore[attr-defined]
        for path, each in (
            {f"{name} {n}": c for n, c in getattr(command, "commands", {}).items()} or {name: command}
        ).items():
            assert each.epilog is not None, path
            assert each.epilog.startswith(f"Example: trivet {path}"), path


def test_links_between_pages_lead_somewhere() -> None:
    """No page links to a file that is not there."""
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name} -> {target}"
