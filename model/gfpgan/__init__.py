"""GFP-GAN: a degradation-removal U-Net that conditions a StyleGAN2 decoder, in its three forms, and its critics.

Source: Wang et al. 2021, Towards Real-World Blind Face Restoration with Generative Facial Prior; TencentARC/GFPGAN.
"""
