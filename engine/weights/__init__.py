"""The one door for weights: a restricted reader, its formats, and which network a file holds."""
