"""The textbook's script in plain PyTorch, at its best settings for a few processor cores.

    python plain_pytorch.py mnist.tar.gz    classic-28, 3 epochs, batch 32, 10% validation
    python plain_pytorch.py cifar10.tar.gz  classic-32, 15 epochs, batch 64, 20% validation

The recipes of plain_keras.py: the same networks, optimizer, loss, epochs, batches and shares, and
the pictures read the same way. Weights begin, and Adam is set, as PyTorch does by default. The
settings are those that trained fastest on two cores (pytorch_speed.py tries them): channels last,
the fused Adam, ReLU in place, a thread a core, and bfloat16 by `torch.autocast` where the processor
multiplies that. All pictures are in memory and a batch is taken by its indices: `DataLoader`'s
workers would only copy. It is not compiled: `torch.compile` takes longer here than it saves.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from pictures import read
from torch import Tensor, nn


@dataclass(frozen=True)
class Settings:
    """How PyTorch is to train, the result but for rounding being the same.

    Attributes:
        threads: None: as many as there are cores.
    """

    channels_last: bool = True
    bfloat16: bool = True
    compiled: bool = False
    threads: int | None = None


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    Attributes:
        shape: height, width and channels of the pictures.
        share: of the training pictures is for validation.
    """

    network: Callable[[], nn.Module]
    shape: tuple[int, int, int]
    epochs: int
    batch: int
    share: float


def classic_28() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 32, 3), nn.ReLU(True), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(32 * 13 * 13, 64), nn.ReLU(True), nn.Linear(64, 10),
    )  # fmt: skip


def classic_32() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(True), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(True), nn.MaxPool2d(2),
        nn.Conv2d(64, 64, 3, padding=1), nn.ReLU(True),
        nn.Flatten(), nn.Linear(64 * 8 * 8, 64), nn.ReLU(True), nn.Linear(64, 10),
    )  # fmt: skip


def classic_64() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 32, 3), nn.ReLU(True), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3), nn.ReLU(True), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(64 * 14 * 14, 128), nn.ReLU(True), nn.Linear(128, 10),
    )  # fmt: skip


RECIPES = {
    "classic-28": Recipe(classic_28, (28, 28, 1), epochs=3, batch=32, share=0.1),
    "classic-32": Recipe(classic_32, (32, 32, 3), epochs=15, batch=64, share=0.2),
    "classic-64": Recipe(classic_64, (64, 64, 3), epochs=10, batch=32, share=0.2),
}


class Training:
    """A network and its optimizer, an epoch at a time.

    Pictures are (n, height, width, channels) float32 from 0 to 1, which is how a tensor of
    channels last lies in memory; labels are (n,) int64.
    """

    def __init__(self, recipe: Recipe, settings: Settings) -> None:
        if settings.threads:
            torch.set_num_threads(settings.threads)
        self.batch = recipe.batch
        self.settings = settings
        self.network = recipe.network()
        if settings.channels_last:
            self.network.to(memory_format=torch.channels_last)
        self.optimizer = torch.optim.Adam(self.network.parameters(), fused=True)
        self.loss = nn.CrossEntropyLoss()
        self.forward = torch.compile(self._forward) if settings.compiled else self._forward

    def epoch(self, x: Tensor, y: Tensor) -> float:
        """Trains on all pictures once, in an order of its own; returns their accuracy."""
        self.network.train()
        right = torch.zeros((), dtype=torch.int64)
        for rows in torch.randperm(len(x)).split(self.batch):
            targets = y[rows]
            outputs, loss = self.forward(self._inputs(x[rows]), targets)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            right += (outputs.argmax(1) == targets).sum()
        return int(right) / len(x)

    def accuracy(self, x: Tensor, y: Tensor, batch: int = 128) -> float:
        """Measures it on all pictures, without training."""
        self.network.eval()
        right = 0
        with torch.inference_mode():
            for pictures, targets in zip(x.split(batch), y.split(batch), strict=True):
                outputs, _ = self._forward(self._inputs(pictures), targets)
                right += int((outputs.argmax(1) == targets).sum())
        return right / len(x)

    def _inputs(self, pictures: Tensor) -> Tensor:
        inputs = pictures.permute(0, 3, 1, 2)
        return inputs if self.settings.channels_last else inputs.contiguous()

    def _forward(self, inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        with torch.autocast("cpu", torch.bfloat16, enabled=self.settings.bfloat16):
            outputs = self.network(inputs)
        return outputs, self.loss(outputs.float(), targets)


def multiplies_bfloat16() -> bool:
    return bool(torch.cpu.get_capabilities().get("avx512_bf16"))


def main(path: str, seed: int) -> None:
    torch.manual_seed(seed)
    began = time.monotonic()
    x_train, y_train, x_test, y_test = map(torch.from_numpy, read(path))
    print(f"read {time.monotonic() - began:.1f} s")
    order = torch.from_numpy(np.random.default_rng(seed).permutation(len(x_train)))
    x_train, y_train = x_train[order].float() / 255, y_train[order].long()
    x_test, y_test = x_test.float() / 255, y_test.long()
    if "mnist" in path:
        x_train, x_test = x_train[..., None], x_test[..., None]
    recipe = RECIPES["classic-28" if "mnist" in path else "classic-32"]
    training = Training(recipe, Settings(bfloat16=multiplies_bfloat16()))
    own = round(len(x_train) * (1 - recipe.share))
    began = time.monotonic()
    for number in range(recipe.epochs):
        accuracy = training.epoch(x_train[:own], y_train[:own])
        validation = training.accuracy(x_train[own:], y_train[own:])
        print(f"epoch {number + 1}: accuracy {accuracy:.4f}, validation accuracy {validation:.4f}")
    print(f"fit {time.monotonic() - began:.1f} s, training accuracy {accuracy:.4f}")
    print(f"test accuracy {training.accuracy(x_test, y_test):.4f}")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 0)
