"""Metrics: arrays in, floats out."""
