"""GPEN (Yang et al. 2021): generator and discriminator, the exported form, published key names."""
