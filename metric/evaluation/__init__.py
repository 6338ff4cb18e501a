"""The one way to score: what is computed of a set of pictures, and how it is reported."""
