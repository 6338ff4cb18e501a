"""Command-line tools; each runs from the repository root as `python tools/NAME.py`."""
