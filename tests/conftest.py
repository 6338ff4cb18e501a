"""Shared fixtures. Importing `engine` first sets the thread environment before Paddle is imported."""

import engine  # noqa: F401
