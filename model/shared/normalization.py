"""Batch normalisation whose running variance is PyTorch's: of the population, not of the batch."""

from paddle import nn


class BatchNorm2D(nn.BatchNorm2D):
    """Paddle's layer with the running variance times n / (n - 1), n values a channel.

    It matters where a map is small: at 2 x 2 and batch 6 by 4 %.

    Source: torch.nn.BatchNorm2d; Paddle 3.3.1 averages the biased variance.
    """

    def forward(self, x):
        """[N, C, H, W] -> the same shape, normalised by the batch in training, else by the running statistics."""
        if not self.training:
            return super().forward(x)
        kept = self._variance * self._momentum
        y = super().forward(x)
        count = x.size // x.shape[1]
        self._variance.set_value(kept + (self._variance - kept) * (count / max(count - 1, 1)))
        return y
