"""Keras in a process of its own, for a network whose weights are found without it.

TensorFlow takes seconds to start and a core to do so. Transfer learning needs it only to write
`model.keras` and to prove that this network and the classifier file are one function, so it
starts beside the work. The two processes exchange a JSON object a line; arrays go by way of `.npy`
files in a folder that the parent owns.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

from tellapart.errors import ModelError
from tellapart.images import Pixels
from tellapart.models.head import Head


class KerasProcess:
    """A network that is being built elsewhere.

    Jobs are handed over at once and done in their order; `result` waits for the next one.

    Args:
        backbone: its name; see `models.backbones`.
        image_size: height and width of the pictures.
        classes: how many there are.
        weights: a file with the backbone's weights; None: those that come with it.
    """

    def __init__(
        self,
        backbone: str,
        image_size: tuple[int, int],
        classes: int,
        weights: str | None = None,
    ) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="tellapart-")
        self._said = (Path(self._folder.name) / "stderr.txt").open("w+", encoding="utf-8")
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            env=os.environ | {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "2"},
            text=True,
        )
        self._to = cast("IO[str]", self._process.stdin)
        self._from = cast("IO[str]", self._process.stdout)
        self._submit(
            "build",
            backbone=backbone,
            image_size=image_size,
            classes=classes,
            weights=weights,
        )

    def save(self, head: Head, path: Path) -> None:
        """Has the head put on the network and both written, under a temporary name first."""
        kernel, bias = self._file("kernel.npy"), self._file("bias.npy")
        np.save(kernel, head.weights, allow_pickle=False)
        np.save(bias, head.bias, allow_pickle=False)
        self._submit("save", kernel=str(kernel), bias=str(bias), path=str(path))

    def predict(self, pixels: Pixels) -> None:
        """Has the network, with its head, look at (n, height, width, 3) uint8.

        The result is where (n, classes) float32 probabilities lie, to be read with `np.load`.
        """
        given, made = self._file("pixels.npy"), self._file("probabilities.npy")
        np.save(given, pixels, allow_pickle=False)
        self._submit("predict", pixels=str(given), probabilities=str(made))

    def follow(
        self, pixels: Pixels, class_names: Sequence[str], picture: str, temperature: float
    ) -> None:
        """Has one picture, (height, width, 3) uint8, followed through every layer.

        The result is a JSON file, as docs/trace.md has it; see `explanation.prediction`.
        """
        given = self._file("followed.npy")
        np.save(given, pixels, allow_pickle=False)
        self._submit(
            "follow",
            pixels=str(given),
            class_names=list(class_names),
            picture=picture,
            temperature=temperature,
            path=str(self._file("prediction_trace.json")),
        )

    def data_flow(self, images: int) -> None:
        """Has the data-flow trace made; see `explanation.flow`. The result is a JSON file."""
        self._submit("data_flow", images=images, path=str(self._file("data_flow.json")))

    def result(self) -> Any:
        """Waits for the next job; the first one is that the network is built.

        Raises:
            ModelError: it could not be done.
        """
        line = self._from.readline()
        answer = json.loads(line) if line else {"error": self._last_words()}
        if "error" in answer:
            raise ModelError(f"Keras could not do its part: {answer['error']}")
        return answer["result"]

    def close(self) -> None:
        """Ends the process, whatever it is doing."""
        self._process.kill()
        with contextlib.suppress(OSError):
            self._process.communicate()
        self._said.close()
        self._folder.cleanup()

    def _file(self, name: str) -> Path:
        return Path(self._folder.name) / name

    def _submit(self, job: str, **details: Any) -> None:
        with contextlib.suppress(OSError):  # it has died: `result` tells why
            self._to.write(json.dumps({"job": job, **details}) + "\n")
            self._to.flush()

    def _last_words(self) -> str:
        self._said.seek(0)
        lines = [line for line in self._said.read().splitlines() if line.strip()]
        code = self._process.wait()
        if code < 0:
            name = signal.Signals(-code).name if -code in set(signal.Signals) else str(-code)
            return (
                f"its process was ended by {name}, from outside. If the system did it for want of "
                "memory, close other programs and start again"
            )
        return lines[-1] if lines else f"its process ended with {code}"


class _Worker:
    """What the child process does; a method a job."""

    def __init__(self) -> None:
        self._model: Any = None

    def build(
        self, backbone: str, image_size: list[int], classes: int, weights: str | None
    ) -> None:
        from tellapart.models.backbones import get_backbone
        from tellapart.models.backbones.transfer import build_transfer_model

        height, width = image_size
        self._model = build_transfer_model(
            get_backbone(backbone, weights=weights), (height, width), classes
        )

    def save(self, kernel: str, bias: str, path: str) -> None:
        from tellapart.files import atomic_path

        arrays = [np.load(name, allow_pickle=False) for name in (kernel, bias)]
        self._model.get_layer("output").set_weights(arrays)
        with atomic_path(Path(path)) as temporary:
            self._model.save(temporary)

    def predict(self, pixels: str, probabilities: str) -> str:
        given = np.load(pixels, allow_pickle=False)
        # Called, not `predict`: compiling takes longer than so few pictures do. One at a time:
        # what each layer gives is held until the last one is done.
        rows = [np.asarray(self._model(picture[np.newaxis], training=False)) for picture in given]
        np.save(probabilities, np.concatenate(rows), allow_pickle=False)
        return probabilities

    def follow(
        self, pixels: str, class_names: list[str], picture: str, temperature: float, path: str
    ) -> str:
        from tellapart.explanation.prediction import prediction_trace

        given = np.load(pixels, allow_pickle=False)
        found = prediction_trace(
            self._model, given, class_names, picture=picture, temperature=temperature
        )
        Path(path).write_text(json.dumps(found.to_json()), encoding="utf-8")
        return path

    def data_flow(self, images: int, path: str) -> str:
        from tellapart.explanation.flow import data_flow

        # By way of a file: an answer that overfills the pipe would hold up the jobs behind it.
        stages = [stage.to_json() for stage in data_flow(self._model, images)]
        Path(path).write_text(json.dumps(stages), encoding="utf-8")
        return path


def _work() -> None:
    """Does what the parent asks for, until it goes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print must not be taken for an answer
    worker = _Worker()
    for line in sys.stdin:
        details = json.loads(line)
        job = getattr(worker, details.pop("job"))
        try:
            answer: dict[str, Any] = {"result": job(**details)}
        except Exception as error:
            answer = {"error": str(error) or type(error).__name__}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    _work()
