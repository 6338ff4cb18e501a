"""Evaluation: one way to score a set of pictures, and to report the scores."""
