"""The project speaks of itself alone, and its pages lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

# Spelt in parts, so that this file does not contain what it looks for.
HOSTS = ["py" + r"pi\.org", "python" + r"hosted\.org", "npm" + r"js\.(org|com)", "deb" + r"\.debian\.org"]
PATHS = ["/wo" + "rk/", "/ro" + "ot/", "/fa" + "rm/", "/tmp/" + "v/", "/tmp/" + "brief", "bash" + "_jobs"]
WORDS = [
    r"\b(issue|pull request|PR) ?" + r"#\d+",
    r"\b(this|last|previous|earlier) se" + r"ssion\b",
    r"\b(sub-?|coding |AI )age" + r"nts?\b",
    r"\bhouse br" + r"ief\b",
]

LINK = re.compile(r"\]\(([^)\s#]+)[^)]*\)")


def found(texts: dict[str, str], patterns: list[str]) -> list[str]:
    pattern = re.compile("|".join(patterns), re.IGNORECASE)
    return [
        f"{name}:{number}: {line.strip()[:100]}"
        for name, text in texts.items()
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]


def test_no_file_names_a_package_index(text_files: dict[str, str]) -> None:
    assert not found(text_files, HOSTS)


def test_no_file_names_a_path_of_one_machine(text_files: dict[str, str]) -> None:
    assert not found(text_files, PATHS)


def test_no_file_speaks_of_how_it_came_about(text_files: dict[str, str]) -> None:
    assert not found(text_files, WORDS)


def test_what_is_looked_for_would_be_found() -> None:
    samples = {
        "a": "see https://py" + "pi.org/simple",
        "b": "in /wo" + "rk/main",
        "c": "Fixes issue " + "#12",
        "d": "done in this se" + "ssion",
    }
    assert len(found(samples, [*HOSTS, *PATHS, *WORDS])) == len(samples)
    assert not found({"a": "a client session, a user-agent header, ticket #12"}, [*HOSTS, *PATHS, *WORDS])


def test_the_readme_is_short_and_shows_code_early(root: Path) -> None:
    lines = (root / "README.md").read_text("utf-8").splitlines()
    assert len(lines) <= 150
    assert any(line.startswith("```") for line in lines[:30])


def test_links_between_pages_lead_to_files(root: Path, text_files: dict[str, str]) -> None:
    broken = [
        f"{name}: {target}"
        for name, text in text_files.items()
        if name.endswith(".md")
        for target in LINK.findall(text)
        if "://" not in target and not target.startswith("mailto:")
        if not ((root / name).parent / target).exists()
    ]
    assert not broken
