"""Partial convolution (Liu et al. 2018): the U-Net, its relatives, published key names."""
