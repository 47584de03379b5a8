"""Networks in PyTorch whose weights are rounded to a few levels, placed where the weights are (ZipML, last section).

For example::

    from zipsgd.torch import export, quantize_, refresh_every

    quantize_(model, levels=5)  # weights of linear and convolutional layers
    refresh_every(model, optimizer, 50)  # places the levels anew after each 50 steps
    ...  # train as before: the layers compute with rounded weights, the optimiser updates the unrounded ones
    export(model).save("model.levels.pt")  # some 2.4 bits a weight

The last layer of a network may be trained by zipsgd, on a board as well::

    from zipsgd.torch import features, replace_layer_

    result = zipsgd.train(features(model, images), classes, classify=True)
    replace_layer_(model, result)
"""

from zipsgd.extras import need

need("torch", "zipsgd.torch", "torch")

# Behind need(), which says how to install PyTorch if it is missing
from .exported import Exported, PackedLayer, export  # noqa: E402
from .features import ClippedLinear, feature_table, features, replace_layer_  # noqa: E402
from .model import quantize_, quantized_layers, refresh_, refresh_every  # noqa: E402
from .placing import Method, Per, Rounding  # noqa: E402
from .quantizer import LevelQuantizer  # noqa: E402

__all__ = [
    "ClippedLinear",
    "Exported",
    "LevelQuantizer",
    "Method",
    "PackedLayer",
    "Per",
    "Rounding",
    "export",
    "feature_table",
    "features",
    "quantize_",
    "quantized_layers",
    "refresh_",
    "refresh_every",
    "replace_layer_",
]
