"""Networks inside losses and metrics: VGG, Inception, LPIPS, AlexNet, IR-SE50, ArcFace."""
