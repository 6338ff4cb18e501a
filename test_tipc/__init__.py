"""TIPC (Training and Inference Pipeline Certification): a runner that checks every result.

The formats are those of the official shell scripts; the commands are theirs word for word (`--dry-run` prints them).
What differs is the verdict: artefacts are checked, nothing is skipped in silence, and the exit status is the truth.
"""
