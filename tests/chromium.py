"""Debian's Chromium: where it is and how tests start it."""

from pathlib import Path

CHROMIUM = Path("/usr/bin/chromium")
QUIET = "--no-sandbox --disable-gpu --disable-background-networking --disable-component-update --disable-sync"
