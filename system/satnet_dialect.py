"""What MUNIT's own command line says.

Source: NVlabs/MUNIT test.py, in whose data set a is the caricature here.
"""

from engine.dialect import Dialect, OwnFlag
from engine.flags import boolean

A2B = OwnFlag(
    "MUNIT's word for --to photo (0: --to caricature)",
    boolean,
    means=lambda value: {"to": "photo" if value else "caricature"},
)
B2A = OwnFlag(
    "MUNIT's word for --to caricature (0: --to photo)",
    boolean,
    means=lambda value: {"to": "caricature" if value else "photo"},
)
DIALECTS = {"predict": Dialect({"a2b": A2B, "b2a": B2A})}
