"""SphereFace (Liu et al. 2017): face recognition with 20 layers."""
