"""What wastes tokens in a prompt, and the shorter prompt."""
