"""What looks across the samples of a batch, made to look across the processes that share it.

So that several processes train as one does, on CPUs too: torch's own `SyncBatchNorm` works on GPUs only.
"""

from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.nn.modules.batchnorm import _BatchNorm

NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def mean_over_processes(value: Tensor) -> Tensor:
    """The mean of a value over the processes that share a batch; the value itself where there is but one.

    To divide a process's part of a loss by: the mean of the parts is then that of the whole batch. Takes no gradient.
    """
    if not distributed.is_initialized():
        return value
    total = value.detach().clone()
    distributed.all_reduce(total)
    return total / distributed.get_world_size()


def share(network: nn.Module) -> None:
    """Let batch norms and dropout work on whole batches from now on; called in every process, after they have met.

    Subclasses of torch's batch norms are left alone: they may do more, such as those of timm that hold an activation.
    """
    group = distributed.new_group()  # of its own, so that nothing comes between the sums of DDP
    for module in network.modules():
        if type(module) in NORMS:
            module.__class__ = _SharedBatchNorm
            module.__dict__["group"] = group
        elif type(module) is nn.Dropout:
            module.__class__ = _SharedDropout


class _Sum(torch.autograd.Function):
    """The sum over the processes; every process's part takes the gradients of all."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, group: Any) -> Tensor:
        ctx.group = group
        total = value.clone()
        distributed.all_reduce(total, group=group)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        total = gradients[0].contiguous().clone()
        distributed.all_reduce(total, group=ctx.group)
        return total, None


class _SharedBatchNorm(_BatchNorm):
    """Normalizes by the statistics of the whole batch; every process must hold as many samples."""

    group: Any

    def _check_input_dim(self, input: Tensor) -> None:  # noqa: A002  torch's name
        """Any number of dimensions does."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  torch's name
        if not self.training:
            return super().forward(input)
        values = input.to(torch.promote_types(input.dtype, torch.float32))
        axes = [axis for axis in range(input.ndim) if axis != 1]
        shape = [-1 if axis == 1 else 1 for axis in range(input.ndim)]
        count = input.numel() // input.shape[1] * distributed.get_world_size(self.group)
        mean = self._sum(values.sum(axes)) / count
        centred = values - mean.view(shape)
        variance = self._sum((centred**2).sum(axes)) / count
        self._keep(mean.detach(), variance.detach() * count / (count - 1))
        scale = self.weight * torch.rsqrt(variance + self.eps)
        return (centred * scale.view(shape) + self.bias.view(shape)).to(input.dtype)

    def _sum(self, value: Tensor) -> Tensor:
        found: Tensor = _Sum.apply(value, self.group)
        return found

    def _keep(self, mean: Tensor, variance: Tensor) -> None:
        for kept, now in ((self.running_mean, mean), (self.running_var, variance)):
            if kept is not None and self.momentum is not None:
                kept.lerp_(now, self.momentum)
        if self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)


class _SharedDropout(nn.Dropout):
    """Draws for the whole batch, as every process is seeded alike, and takes its share."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  torch's name
        if not self.training:
            return input
        own, whole = len(input), distributed.get_world_size() * len(input)
        kept = torch.empty((whole, *input.shape[1:]), dtype=input.dtype, device=input.device).bernoulli_(1 - self.p)
        first = distributed.get_rank() * own
        return input * kept[first : first + own] / (1 - self.p)
