"""Train networks with rounded weights. A run that was stopped goes on from its last checkpoint, with the same results."""

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any, Protocol, cast

import torch
from torch import nn

from zipsgd.output import write_file
from zipsgd.torch import export, quantize_, refresh_every

from .vision_images import Images
from .vision_settings import Settings

__all__ = ["Progress", "Run"]


class Progress(Protocol):
    """Is told what has been done."""

    def __call__(self, steps: int, message: str, earlier: bool = False) -> None:
        """Steps done since the last call, a message, and whether an earlier process has done them."""


def _told_before(progress: Progress, steps: int, message: str, earlier: bool = False) -> None:
    """Say what a run that this one starts from says; its steps are none of this one."""
    progress(0, message, earlier)


def _checkpoint(path: Path, state: dict[str, Any]) -> None:
    content = BytesIO()
    torch.save(state, content)
    write_file(path, content.getvalue())


@dataclass(frozen=True, eq=False)
class Run:
    """A network to train, or one that has been trained before.

    Parameters
    ----------
    name : str
        Name of the method, for files and messages.
    quantized : mapping of str to Any, optional
        Arguments of :func:`zipsgd.torch.quantize_`; None trains in full precision.
    seed : int
        Seed of the initial weights and of the order of the images.
    images : Images
        CIFAR-10.
    settings : Settings
        The network, and how it is trained.
    folder : Path
        Folder for the checkpoint, which keeps the final weights, and for the result.
    start : Run, optional
        A run in full precision whose final weights this one starts from.
    """

    name: str
    quantized: Mapping[str, Any] | None
    seed: int
    images: Images
    settings: Settings
    folder: Path
    start: "Run | None" = None

    @property
    def _described(self) -> dict[str, Any]:
        """What the run is told by."""
        settings = asdict(cast(Any, self.settings))
        told = {"method": self.name, "seed": self.seed, "quantized": dict(self.quantized or {})}
        start = {} if self.start is None else {"start": self.start._described}
        return {**told, "settings": settings, **start}

    @property
    def _files(self) -> tuple[Path, Path]:
        """The result, and the checkpoint."""
        stem = f"{self.name.replace(' ', '-')}-{self.seed}"
        return self.folder / f"{stem}.json", self.folder / f"{stem}.pt"

    def _check_same(self, path: Path, found: Any) -> None:
        """Check that a file is of this run."""
        if found != self._described:
            raise ValueError(f"{path} is of other settings, {found}; remove it, or choose another folder")

    def _earlier(self) -> dict[str, Any] | None:
        """The result, or None if there is none."""
        path = self._files[0]
        if not path.exists():
            return None
        result: dict[str, Any] = json.loads(path.read_text())
        self._check_same(path, result["run"])
        return result

    def _resumed(self) -> dict[str, Any] | None:
        """The state of the checkpoint, or None if there is none."""
        path = self._files[1]
        if not path.exists():
            return None
        state: dict[str, Any] = torch.load(path, weights_only=True)
        self._check_same(path, state["run"])
        return state

    def _made(self, start: nn.Module | None = None) -> nn.Sequential:
        """The network before training, with an output for each class of the images."""
        model = self.settings.network(1 + int(self.images["train_classes"].max()))
        if start is not None:
            model.load_state_dict(start.state_dict())
        if self.quantized is not None:
            quantize_(model, **self.quantized)
        return model

    def network(self, progress: Progress) -> nn.Sequential:
        """The trained network; trains it unless that was done before.

        Parameters
        ----------
        progress : Progress
            Told of each checkpoint.

        Returns
        -------
        torch.nn.Sequential
            The network, in evaluation mode.

        Raises
        ------
        ValueError
            The folder has a checkpoint or a result of other settings, or a result without its weights.
        """
        self.train(progress)
        done, saved = self._files
        state = self._resumed()
        if state is None:
            raise ValueError(
                f"{done} is there, and the weights in {saved.name} are not; remove it to train again"
            )
        model = self._made()
        model.load_state_dict(state["model"])
        return model.eval()

    def train(self, progress: Progress) -> dict[str, Any]:
        """Train the network, or take the result from the folder, or go on from a checkpoint there.

        Parameters
        ----------
        progress : Progress
            Told of each checkpoint.

        Returns
        -------
        dict of str to Any
            Method, seed, accuracy on the test images, bits a weight, and ``curve``: training loss and accuracy by steps.

        Raises
        ------
        ValueError
            The folder has a checkpoint or a result of other settings.
        """
        settings, said = self.settings, f"{self.name}, seed {self.seed}"
        result = self._earlier()
        if result is not None:
            progress(settings.steps, f"{said}: done before", True)
            return result
        start = None if self.start is None else self.start.network(partial(_told_before, progress))
        torch.manual_seed(self.seed)
        model, batches = self._made(start), settings.batches(self.images)
        optimizer = settings.optimizer(model)
        first, curve, total = 0, [], 0.0
        state = self._resumed()
        if state is not None:
            model.load_state_dict(state["model"])
            optimizer.load_state_dict(state["optimizer"])
            first, curve = state["step"], state["curve"]
            progress(first, f"{said}: goes on from step {first:,}", True)
        if self.quantized is not None:
            refresh_every(model, optimizer, settings.refresh)
        begun = time.monotonic()
        for step in range(first, settings.steps):
            for group in optimizer.param_groups:
                group["lr"] = group["share"] * settings.step_size(step)
            pixels, classes = batches.training(self.seed, step)
            optimizer.zero_grad()
            with torch.autocast("cpu", torch.bfloat16, enabled=settings.bfloat16):
                scores = model(pixels)
            loss = nn.functional.cross_entropy(scores.float(), classes)
            loss.backward()
            optimizer.step()
            total += loss.item()
            if (step + 1) % settings.every == 0 or step + 1 == settings.steps:
                accuracy = batches.accuracy(model)
                since = step + 1 - (curve[-1]["step"] if curve else 0)
                curve.append({"step": step + 1, "loss": total / since, "accuracy": accuracy})
                total = 0.0
                state = {"run": self._described, "model": model.state_dict()}
                state |= {"optimizer": optimizer.state_dict(), "step": step + 1, "curve": curve}
                _checkpoint(self._files[1], state)
                at = f"step {step + 1:,} of {settings.steps:,}, loss {curve[-1]['loss']:.3f}"
                pace = f"{1e3 * (time.monotonic() - begun) / since:.0f} ms a step"
                progress(since, f"{said}: {at}, accuracy {100 * accuracy:.1f} %, {pace}")
                begun = time.monotonic()
        return self._finished(model, curve)

    def _finished(self, model: nn.Module, curve: list[dict[str, Any]]) -> dict[str, Any]:
        """Write the result."""
        found = {
            "run": self._described,
            "method": self.name,
            "seed": self.seed,
            "accuracy": curve[-1]["accuracy"],
            "bits a weight": 32.0 if self.quantized is None else export(model).bits_per_weight,
            "curve": curve,
        }
        write_file(self._files[0], json.dumps(found, indent=1) + "\n")
        return found
