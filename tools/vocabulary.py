"""Write the o200k_base vocabulary that `trivet.tokens` reads.

The ranks are OpenAI's, published under the MIT licence with tiktoken (https://github.com/openai/tiktoken) as
`o200k_base.tiktoken`: one line a token, its bytes in base64 and its rank. `bpe-openai` (MIT) carries the same
file in its wheel; this takes it from there, so that nothing is fetched, checks the digest that tiktoken
publishes for it, and compresses it again without a time stamp, so that the result is the same every time.

    python tools/vocabulary.py
"""

from __future__ import annotations

import gzip
import hashlib
import importlib.resources
from pathlib import Path

SHA256 = "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d"
"""Of the uncompressed file, as in `tiktoken_ext/openai_public.py`."""

TARGET = Path(__file__).parent.parent / "src" / "trivet" / "data" / "o200k_base.tiktoken.gz"


def main() -> None:
    """Read the ranks from the installed `bpe-openai`, check them and write them."""
    source = importlib.resources.files("bpe_openai") / "data" / "o200k_base.tiktoken.gz"
    ranks = gzip.decompress(source.read_bytes())
    digest = hashlib.sha256(ranks).hexdigest()
    if digest != SHA256:
        raise SystemExit(f"{source} is not the published vocabulary: its SHA-256 is {digest}")
    TARGET.write_bytes(gzip.compress(ranks, compresslevel=9, mtime=0))
    print(f"{TARGET}: {TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    main()
