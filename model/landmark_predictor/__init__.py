"""The landmark predictor of a covered face, after LaFIn (Yang et al. 2019)."""
