"""Landmark-guided inpainting: completion network and discriminators after GLCIC (Iizuka et al. 2017)."""
