"""What a run will cost and how long it will take, before anything is sent; see docs/explain.md."""
