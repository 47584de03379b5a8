"""Networks in PyTorch whose weights are rounded to a few levels, placed where the weights are (ZipML, last section).

For example::

    from zipsgd.torch import export, quantize_, refresh_every

    quantize_(model, levels=5)  # weights of linear and convolutional layers
    refresh_every(model, optimizer, 50)  # places the levels anew after each 50 steps
    ...  # train as before: the layers compute with rounded weights, the optimiser updates the unrounded ones
    export(model).save("model.levels.pt")  # some 2.4 bits a weight
"""

from zipsgd.extras import need

need("torch", "zipsgd.torch", "torch")

# Behind need(), which says how to install PyTorch if it is missing
from .exported import Exported, PackedLayer, export  # noqa: E402
from .model import quantize_, quantized_layers, refresh_, refresh_every  # noqa: E402
from .placing import Method, Per, Rounding  # noqa: E402
from .quantizer import LevelQuantizer  # noqa: E402

__all__ = [
    "Exported",
    "LevelQuantizer",
    "Method",
    "PackedLayer",
    "Per",
    "Rounding",
    "export",
    "quantize_",
    "quantized_layers",
    "refresh_",
    "refresh_every",
]
