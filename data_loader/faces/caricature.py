"""The caricature style (placeholder)."""
from data_loader.faces.photo import paint_photo as paint_caricature  # noqa: F401
