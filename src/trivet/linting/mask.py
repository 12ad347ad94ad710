"""What no rule may touch, replaced by one character each: placeholders, code, quotations, tags, examples, addresses.

Equal texts become equal characters, so that two sentences with the same placeholder still compare as the same.
"""

from __future__ import annotations

import re
from collections import Counter

_FIRST = 0xF0000
_MOST = 65_000
MARK = re.compile("[\ue000-\uf8ff\U000f0000-\U000fffff]")

FIELD = re.compile(
    r"\{\{(?:(?!\{\{|\}\}).){0,2000}+\}\}"  # Jinja, Handlebars
    r"|\$\{[^{}\n]{1,200}\}"  # shell, JavaScript
    r"|(?<![{\w])\{[A-Za-z_]\w*(?:[.\[][^{}\n]{0,80})?(?:![rsa])?(?::[^{}\n]{0,20})?\}(?!\})"  # str.format
    r"|%\([A-Za-z_]\w*\)[sdrf]|(?<!\w)%s(?!\w)"
    r"|<<\s*[A-Za-z_]\w*\s*>>|\[\[\s*[A-Za-z_]\w*\s*\]\]"
    r"|\[[A-Z][A-Z_ ]{2,40}\](?!\()",  # [INSERT TEXT]
    re.DOTALL,
)
BLOCK = re.compile(
    r"\{%-?\s*raw\b.{0,20000}?\bendraw\s*-?%\}|\{%(?:(?!\{%|%\}).){0,2000}+%\}|\{#(?:(?!\{#|#\}).){0,5000}+#\}",
    re.DOTALL,
)

_PROTECTED = re.compile(
    "|".join(
        (
            f"(?:{BLOCK.pattern})",
            r"(?P<fence>^[ \t]*(?P<ticks>```+|~~~+)[^\n]*\n.*?^[ \t]*(?P=ticks)[ \t]*$)",
            r"<(?P<tag>examples?|sample\w*|shots?|demo\w*|code|schema|format)\b[^<>\n]{0,200}>(?:(?!<(?P=tag)\b).){0,20000}?</(?P=tag)>",
            rf"(?:{FIELD.pattern})",
            r"`[^`\n]+`",
            r"</?[A-Za-z][\w.:-]*(?:\s[^<>\n]*)?/?>",
            r"<\|[^|\n]*\|>",
            r"https?://[^\s)>\]]+",
            r"“[^”\n]{1,400}”|«[^»\n]{1,400}»",
            r"(?<![\w\"])\"[^\"\n]{1,400}\"(?!\w)",
            r"(?<![\w'])'[^'\n]{1,80}'(?!\w)",
            r"^[ \t]*(?=[\[{][\s\S])(?:\{[^{}]*(?:\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}[^{}]*)*\}|\[[^\[\]]*\])[ \t]*,?$",
            r"\{[^{}\n]*\"[^{}\n]*\}",
            r"[\ue000-\uf8ff\U000f0000-\U000fffff]",
        )
    ),
    re.DOTALL | re.MULTILINE,
)


class Masks:
    """The protected texts of one prompt, each by the character that stands for it."""

    def __init__(self) -> None:
        self._marks: dict[str, str] = {}
        self._texts: dict[str, str] = {}

    def mask(self, text: str) -> str:
        """The text with each protected part as one character."""
        return _PROTECTED.sub(lambda found: self._mark(found.group()), text)

    def restore(self, text: str) -> str:
        """The text as it was."""
        return MARK.sub(lambda found: self._texts.get(found.group(), found.group()), text)

    def is_field(self, mark: str) -> bool:
        """Whether the character stands for a placeholder that a row fills in."""
        return bool(FIELD.fullmatch(self._texts.get(mark, ""))) and not BLOCK.fullmatch(self._texts.get(mark, ""))

    def _mark(self, text: str) -> str:
        if text not in self._marks:
            if len(self._marks) >= _MOST:
                return text
            mark = chr(_FIRST + len(self._marks))
            self._marks[text] = mark
            self._texts[mark] = text
        return self._marks[text]


def fields(text: str) -> Counter[str]:
    """The placeholders of a prompt, each as often as it occurs; white space inside them does not count."""
    return Counter(re.sub(r"\s+", "", found) for found in FIELD.findall(BLOCK.sub("", text)))


def is_labels(field: str) -> bool:
    """Whether a placeholder stands for the task's labels rather than for a column."""
    return bool(re.match(r"\{\{-?\s*labels\b", field))
