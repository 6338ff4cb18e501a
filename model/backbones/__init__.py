"""Networks that losses and metrics look through: VGG, Inception, LPIPS, AlexNet, IR-SE50, ArcFace."""
