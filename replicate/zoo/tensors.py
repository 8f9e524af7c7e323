"""From views of bytes to the numbers that a model is fed, as torchvision makes them."""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from replicate.zoo.loaded import Triple

if TYPE_CHECKING:
    from torch import Tensor, device


def standardised(
    views: npt.NDArray[np.uint8], mean: Triple, std: Triple, to: "device | str" = "cpu"
) -> "Tensor":
    """ToTensor and Normalize of torchvision, for a whole batch, to the bit.

    Bytes are divided by 255 as float32, the mean is subtracted, the result divided by the
    deviation, in this order.

    Args:
        views: Shape (n, height, width, 3).
        mean: Of each channel.
        std: Of each channel.
        to: The device: bytes are moved there first, a quarter of the traffic.

    Returns:
        float32, shape (n, 3, height, width).
    """
    import torch

    batch = torch.from_numpy(views).to(to).permute(0, 3, 1, 2).contiguous().to(torch.float32)
    centre, spread = (
        torch.tensor(values, dtype=torch.float32, device=to) for values in (mean, std)
    )
    return batch.div_(255).sub_(centre[:, None, None]).div_(spread[:, None, None])
