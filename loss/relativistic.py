"""The relativistic average least-squares adversarial loss of two sets of logits.

Source: Jolicoeur-Martineau 2018 (RaLSGAN); maruru-hub/PartialConv-paddle model/loss.py, GANLoss.
"""


def relativistic_discriminator(real, fake):
    """Half of mean (real - mean fake - 1)^2 + mean (fake - mean real + 1)^2. Source: GANLoss, target_is_real=True."""
    return _distances(real - fake.mean() - 1, fake - real.mean() + 1)


def relativistic_generator(real, fake):
    """The same with the players' signs exchanged. Source: GANLoss, target_is_real=False."""
    return _distances(real - fake.mean() + 1, fake - real.mean() - 1)


def _distances(one, other):
    return ((one * one).mean() + (other * other).mean()) / 2
