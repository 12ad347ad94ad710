"""What the provider charges a request at admission, in tokens.

    charge = max(max_output_tokens, characters * tokens a character)

Source: the provider's documentation, "the maximum of max_tokens and the estimated number of tokens based on
the character count of your request". How it estimates is not documented. The ratio begins at a quarter and is
learned from the usage that replies tell, weighed by length, so that one odd prompt moves nothing; but it never
rises above that quarter: an estimate by characters can't know that a text is dense in tokens, and too low a
charge is corrected by the provider (the mirror, then a refusal), while too high a one would leave a part of the
limit unused without anybody noticing.
"""

from __future__ import annotations

START = 0.25
MEMORY = 400_000.0  # characters after which half of what was seen is forgotten
PRIOR = 4_000.0


class Ratio:
    """Tokens a character of one model's prompts."""

    def __init__(self) -> None:
        self._characters = PRIOR
        self._tokens = PRIOR * START

    def seen(self, characters: int, tokens: int) -> None:
        """A reply said that a prompt of so many characters was so many tokens."""
        if characters <= 0 or not 0 < tokens <= 4 * characters + 1_000:
            return  # images, files, stored conversations: tokens that no character stands for
        self._characters += characters
        self._tokens += tokens
        if self._characters > MEMORY:
            self._characters /= 2
            self._tokens /= 2

    def charge(self, characters: int, max_output: int | None) -> float:
        """Tokens that a request is charged."""
        ratio = min(START, self._tokens / self._characters)
        return max(float(max_output or 0), characters * ratio, 1.0)
