"""One file a layer around a request, and `stack.py`, the only one that knows their order."""
