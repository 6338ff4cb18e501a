"""Adversarial losses on logits; scalars, means over all logits.

Source: Goodfellow et al. 2014 (non-saturating logistic); Karras et al. 2020; reference code: yangxy/GPEN
train_simple.py (d_logistic_loss, g_nonsaturating_loss) and XPixelGroup/BasicSR losses/gan_loss.py (GANLoss).
"""

import paddle.nn.functional as F


def discriminator_logistic(real_logits, fake_logits):
    """mean softplus(-real) + mean softplus(fake). Source: train_simple.py, d_logistic_loss."""
    return F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()


def generator_logistic(fake_logits):
    """mean softplus(-fake), the non-saturating loss. Source: train_simple.py, g_nonsaturating_loss."""
    return F.softplus(-fake_logits).mean()


def vanilla(logits, is_real, for_discriminator):
    """Binary cross-entropy with logits against 1 or 0. Source: gan_loss.py, gan_type vanilla."""
    del for_discriminator
    return F.softplus(-logits if is_real else logits).mean()


def lsgan(logits, is_real, for_discriminator):
    """Squared distance to 1 or 0. Source: Mao et al. 2017; gan_loss.py, gan_type lsgan."""
    del for_discriminator
    distance = logits - 1.0 if is_real else logits
    return (distance * distance).mean()


def wgan(logits, is_real, for_discriminator):
    """-mean for real, +mean for fake. Source: Arjovsky et al. 2017; gan_loss.py, gan_type wgan."""
    del for_discriminator
    return -logits.mean() if is_real else logits.mean()


def hinge(logits, is_real, for_discriminator):
    """relu(1 -+ logits) for the discriminator; -mean for the generator, whatever the label, as in the reference.

    Source: Lim and Ye 2017; gan_loss.py, gan_type hinge.
    """
    if not for_discriminator:
        return -logits.mean()
    return F.relu(1.0 - logits if is_real else 1.0 + logits).mean()


def discriminator_loss(kind, real_logits, fake_logits):
    """Both terms of a multi-scale discriminator: real against 1 and fake against 0, summed over the scales.

    Args:
        kind: a key of KINDS, or "nsgan".
        real_logits, fake_logits: lists of tensors, one a scale.

    Source: NVlabs/MUNIT networks.py, MsImageDis.calc_dis_loss.
    """
    term = KINDS[kind]
    pairs = zip(real_logits, fake_logits, strict=True)
    return sum(term(real, True, True) + term(fake, False, True) for real, fake in pairs)


def generator_loss(kind, fake_logits):
    """The generator's term against a multi-scale discriminator, fakes held against 1, summed over the scales.

    Source: NVlabs/MUNIT networks.py, MsImageDis.calc_gen_loss; hinge: Lim and Ye 2017.
    """
    return sum(KINDS[kind](fake, True, False) for fake in fake_logits)


def relativistic_discriminator(real, fake):
    """Relativistic average least squares: half of mean (real - mean fake - 1)^2 + mean (fake - mean real + 1)^2.

    Source: Jolicoeur-Martineau 2018 (RaLSGAN); maruru-hub/PartialConv-paddle model/loss.py, GANLoss of a real target.
    """
    return _distances(real - fake.mean() - 1, fake - real.mean() + 1)


def relativistic_generator(real, fake):
    """The same with the players' signs exchanged. Source: GANLoss of a target that is not real."""
    return _distances(real - fake.mean() + 1, fake - real.mean() - 1)


def _distances(one, other):
    return ((one * one).mean() + (other * other).mean()) / 2


KINDS = {"vanilla": vanilla, "lsgan": lsgan, "wgan": wgan, "wgan_softplus": vanilla, "nsgan": vanilla, "hinge": hinge}
