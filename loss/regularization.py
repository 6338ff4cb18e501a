"""R1 and path-length regularization: penalties on gradients, differentiated a second time by `backward`.

Run both outside autocast. Biases that a penalty cannot reach keep the gradient None; whether a step counts for them
all the same is the Updater's `reaches_all`.
"""

import math

import paddle


def r1_penalty(real_logits, real_images):
    """Mean over the batch of the squared gradient norm of the discriminator at real images.

    Args:
        real_logits: [N, 1], computed from `real_images`.
        real_images: [N, 3, H, W], with stop_gradient=False.

    Returns:
        scalar; multiply by gamma / 2, and by the interval when it runs every so many steps.

    Source: Mescheder et al. 2018, section 4.1; reference code: yangxy/GPEN train_simple.py, d_r1_loss.
    """
    (gradient,) = paddle.grad(real_logits.sum(), real_images, create_graph=True)
    return (gradient * gradient).sum() / real_images.shape[0]


def path_lengths(image, latents, noise=None):
    """Length of J^T y for a random image y: how far the picture moves when the latents do.

    Args:
        image: [N, 3, H, W], computed from `latents` in twice differentiable form.
        latents: [N, L, style_dim].
        noise: [N, 3, H, W] from N(0, 1), drawn when None; divided by sqrt(H * W) here.

    Returns:
        [N]: sqrt of the mean over layers of the squared gradient norm.

    Source: Karras et al. 2020, section 3.2; train_simple.py, g_path_regularize.
    """
    noise = paddle.randn(image.shape, image.dtype) if noise is None else noise
    scaled = noise / math.sqrt(image.shape[2] * image.shape[3])
    (gradient,) = paddle.grad((image * scaled).sum(), latents, create_graph=True)
    return paddle.sqrt((gradient * gradient).sum(axis=2).mean(axis=1))


def path_length_penalty(lengths, mean_path_length, decay=0.01):
    """Squared distance of path lengths to their moving average.

    The gradient flows through the updated average too, as in the reference: it is detached after use only.

    Args:
        lengths: [N], from `path_lengths`; with several processes, those of all of them.
        mean_path_length: scalar, the average before this step.
        decay: share of the batch in the updated average.

    Returns:
        (penalty, updated average, detached).

    Source: train_simple.py, g_path_regularize.
    """
    mean = mean_path_length + decay * (lengths.mean() - mean_path_length)
    distance = lengths - mean
    return (distance * distance).mean(), mean.detach()
