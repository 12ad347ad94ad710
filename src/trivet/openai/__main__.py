"""`python -m trivet.openai script.py`: a program that uses the official SDK, unchanged, with the layers underneath."""

from __future__ import annotations

from trivet.openai.command import main

if __name__ == "__main__":
    main()
