"""A trained classifier, read from its file and put to use with ONNX Runtime alone.

    classifier = Classifier.load("runs/photos-1")
    classifier.predict("new.jpg").label

Nothing here imports TensorFlow or Keras.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
import numpy.typing as npt
from PIL import Image

from tellapart.bundle import Bundle, parse_bundle, read_file
from tellapart.errors import (
    ClassifierFileError,
    DataError,
    ImageError,
    UsageError,
)
from tellapart.images import Pixels, Raw, decode
from tellapart.machine import usable_cores
from tellapart.network import Network
from tellapart.results import Evaluation, FailedPrediction, Prediction

if TYPE_CHECKING:  # predicting needs nothing of `data`
    from tellapart.data.dataset import Dataset, Part

FILE_NAME = "classifier.onnx"

Picture = str | Raw
"""A picture to predict: a path, an encoded file's content, pixels, or a Pillow image."""

NamedPicture = tuple[str, Callable[[], Raw]]
"""A picture's name, and how to get at it when its turn comes, in a thread."""

Decoded = tuple[str, Pixels] | FailedPrediction
"""A picture's name and pixels, or why there are none."""

TOGETHER = 8
"""Pictures that a thread takes at once: handing over a small one takes as long as decoding it."""


class Classifier:
    """Tells pictures apart.

    Attributes:
        class_names: in the order of the probabilities.
        image_spec: how a picture file becomes the network's pixels.
        threshold: a prediction with a lower probability is unsure; see `UnsureRule`.
        novelty_limit: so is one of a picture with a higher novelty, which is like nothing the
            network was trained on; infinite where the network gives no such score.
        provenance: where the classifier comes from: data, accuracy with interval, date, versions.
        path: the file it was read from.
    """

    def __init__(self, content: bytes, path: Path) -> None:
        """Checks a classifier file's content, then makes it ready to run; see `load`."""
        self.bundle: Bundle = parse_bundle(content, str(path))
        self.path = path
        self.class_names = self.bundle.class_names
        self.image_spec = self.bundle.image_spec
        self.threshold = self.bundle.threshold
        self.novelty_limit = self.bundle.novelty_limit
        self.provenance = self.bundle.provenance
        self._network = Network(content, path, self.image_spec.shape, len(self.class_names))

    def __repr__(self) -> str:
        height, width, channels = self.image_spec.shape
        return (
            f"Classifier({str(self.path)!r}: {len(self.class_names)} classes, "
            f"pictures of {height}x{width}x{channels})"
        )

    @classmethod
    def load(cls, path: str | Path) -> Classifier:
        """Reads a classifier.

        Args:
            path: a `classifier.onnx`, or a run folder that holds one.

        Raises:
            ClassifierFileError: there is none, or it is not ours, too new or damaged.
        """
        file = _find_file(Path(path))
        # The bytes that were checked are the bytes that run, whatever happens to the file.
        return cls(read_file(file), file)

    def probabilities(self, pixels: Pixels, *, batch_size: int = 64) -> npt.NDArray[np.float32]:
        """Classifies pictures that have the network's size already.

        Args:
            pixels: (n, *image_spec.shape) uint8.
            batch_size: at most so many at a time.

        Returns:
            (n, classes) float32; each row sums to 1.

        Raises:
            UsageError: the pixels are of another shape or type.
            ClassifierFileError: the network cannot be run, or does not give probabilities.
        """
        _check_batch_size(batch_size)
        if pixels.dtype != np.uint8 or pixels.shape[1:] != self.image_spec.shape:
            expected = ", ".join(map(str, self.image_spec.shape))
            raise UsageError(
                f"Pixels of shape {pixels.shape} and type {pixels.dtype}: {self.path} expects "
                f"(n, {expected}) uint8. `predict` takes pictures of any size."
            )
        return self._network.run(pixels, batch_size)[0]

    @overload
    def predict(self, picture: Picture) -> Prediction: ...  # type: ignore[overload-overlap]

    @overload
    def predict(self, picture: Iterable[Picture]) -> list[Prediction]: ...

    def predict(self, picture: Picture | Iterable[Picture]) -> Prediction | list[Prediction]:
        """Says what a picture shows, or what several show.

        Args:
            picture: a path, an encoded file's content, pixels as (height, width) or (height,
                width, channels) uint8, or a Pillow image; or several of them. An array of four
                dimensions is several.

        Returns:
            A prediction for a picture, a list of them for several, also where these are one.

        Raises:
            ImageError: the picture cannot be decoded.
            DataError: of several, some cannot be decoded; all are named. `predict_stream` goes on
                without them.
            ClassifierFileError: the network cannot be run.
        """
        if isinstance(picture, str | bytes | Path | Image.Image) or (
            isinstance(picture, np.ndarray) and picture.ndim != 4
        ):
            name, read = _job(picture)
            pixels = decode(read(), self.image_spec, name)[np.newaxis]
            return next(self._predictions([name], *self._network.run(pixels)))
        answers = list(self.predict_stream(picture))
        failed = [answer for answer in answers if isinstance(answer, FailedPrediction)]
        if failed:
            raise DataError(describe_failed(failed, len(answers)))
        return [answer for answer in answers if isinstance(answer, Prediction)]

    def predict_stream(
        self,
        pictures: Iterable[Picture | NamedPicture | FailedPrediction],
        *,
        batch_size: int = 32,
        isolated: bool = False,
    ) -> Iterator[Prediction | FailedPrediction]:
        """Predicts any number of pictures while they are decoded, in their order.

        A thread for each processor core decodes some and puts them through the network. Held in
        memory are for each of them at most `TOGETHER` pictures of the network's size, and one of
        its own size. At most 2 * `batch_size` pictures are read ahead of the answers.

        Args:
            pictures: as for `predict`, or each a name and a function that reads it; from any
                iterable, which is read as answers are taken. A `FailedPrediction` among them is
                passed on in its place.
            batch_size: at most so many go through the network at a time, on all cores together.
            isolated: decode files in processes of their own, as the command line does: one that
                makes the decoder crash or hang costs its own answer, and not this process.

        Yields:
            A prediction for each picture, or why there is none.

        Raises:
            UsageError: the batch size is below 1.
            ClassifierFileError: the network cannot be run.
        """
        _check_batch_size(batch_size)
        jobs = (item if isinstance(item, FailedPrediction) else _job(item) for item in pictures)
        return self._stream(jobs, batch_size, self._decode_apart if isolated else self._decode_here)

    def evaluate(
        self,
        data: Any,
        *,
        part: Part | Literal["all"] | None = None,
        unknown: Iterable[Picture | FailedPrediction] | None = None,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> Evaluation:
        """Measures the classifier on labelled pictures, and on pictures of none of its classes.

        Classes are matched by name. Classes that the classifier knows and the data lacks have no
        recall.

        Args:
            data: a `Dataset`, or anything that `tellapart.data.load` takes: a folder per class,
                an archive, a CSV, a catalog name, ...
            part: "train", "validation", "calibration", "test" or "all". By default what the data
                itself sets apart: its test part, else its validation part, else all of it. Of the
                very data it was trained on, the pictures that its run kept for the test.
            unknown: pictures of anything else, as for `predict_stream`.
            on_progress: called with how many pictures are done, of how many.

        Returns:
            The figures; unreadable pictures are listed and not counted.

        Raises:
            DataError: the data cannot be read, has a class that the classifier does not know,
                lacks the part, has no readable picture, or is what the classifier was trained on
                and nothing tells which pictures it has not seen; or no unknown picture is readable.
            UsageError: unknown pictures are given, and the file has no score for them.
            ClassifierFileError: the network cannot be run.
        """
        from tellapart.evaluation.on_data import evaluate_on_data

        return evaluate_on_data(self, data, part=part, unknown=unknown, on_progress=on_progress)

    def was_trained_on(self, dataset: Dataset) -> bool:
        """Whether this is the very data set that the classifier was trained on, unchanged."""
        return self.provenance.get("data_key") == dataset.source.key

    def _stream(
        self,
        jobs: Iterable[NamedPicture | FailedPrediction],
        batch_size: int,
        decode_all: Callable[[list[NamedPicture | FailedPrediction]], list[Decoded]],
    ) -> Iterator[Prediction | FailedPrediction]:
        jobs = iter(jobs)
        together = min(TOGETHER, max(1, batch_size // usable_cores()))
        ahead: deque[Future[list[Prediction | FailedPrediction]]] = deque()
        pool = ThreadPoolExecutor(usable_cores(), thread_name_prefix="predict")
        try:
            while True:
                while len(ahead) * together < 2 * batch_size and (
                    some := list(islice(jobs, together))
                ):
                    ahead.append(pool.submit(lambda some: self._answer(decode_all(some)), some))
                if not ahead:
                    return
                yield from ahead.popleft().result()
        finally:  # also when the reader stops early or presses Ctrl-C
            pool.shutdown(wait=False, cancel_futures=True)

    def _decode_here(self, jobs: list[NamedPicture | FailedPrediction]) -> list[Decoded]:
        return [self._decode(job) for job in jobs]

    def _decode_apart(self, jobs: list[NamedPicture | FailedPrediction]) -> list[Decoded]:
        from tellapart.decoding import decode_apart

        named = [job for job in jobs if not isinstance(job, FailedPrediction)]
        names = [name for name, _ in named]
        raws = [_read(name, read) for name, read in named]
        made = zip(names, decode_apart(raws, names, self.image_spec), strict=True)
        decoded: Iterator[Decoded] = (
            FailedPrediction(name, row) if isinstance(row, str) else (name, row)
            for name, row in made
        )
        return [job if isinstance(job, FailedPrediction) else next(decoded) for job in jobs]

    def _decode(self, job: NamedPicture | FailedPrediction) -> Decoded:
        if isinstance(job, FailedPrediction):
            return job
        name, read = job
        try:
            return name, decode(read(), self.image_spec, name)
        except ImageError as error:
            return FailedPrediction(name, error.reason)

    def _answer(self, some: list[Decoded]) -> list[Prediction | FailedPrediction]:
        """Puts pictures through the network, in the calling thread."""
        decoded = [item for item in some if not isinstance(item, FailedPrediction)]
        predictions: Iterator[Prediction] = iter(())
        if decoded:
            names, pixels = zip(*decoded, strict=True)
            found = self._network.run_on_one_core(np.stack(pixels))
            predictions = self._predictions(names, *found)
        return [item if isinstance(item, FailedPrediction) else next(predictions) for item in some]

    def prediction_set(self, prediction: Prediction, coverage: float = 0.9) -> tuple[str, ...]:
        """Returns the classes among which the right one is, with a probability of `coverage`.

        Split conformal prediction, fitted on pictures that were not trained on; see
        `evaluation.conformal`.

        Args:
            prediction: one of this classifier's.
            coverage: one that the file has a rule for.

        Returns:
            At least one class, the most probable first.

        Raises:
            UsageError: the file has no rule for this coverage.
        """
        most = self.quantile(coverage)
        ranked = prediction.top(len(self.class_names))
        return tuple(name for rank, (name, p) in enumerate(ranked) if not rank or 1 - p <= most)

    def quantile(self, coverage: float) -> float:
        """Returns how improbable a class in a prediction set may be: 1 - p at the most.

        Raises:
            UsageError: the file has no rule for this coverage.
        """
        quantiles = {rule["coverage"]: float(rule["quantile"]) for rule in self.bundle.sets}
        if coverage not in quantiles:
            known = ", ".join(f"{share:g}" for share in quantiles) or "none"
            raise UsageError(
                f"{self.path} has no prediction sets with a coverage of {coverage:g}: it has "
                f"{known}."
            )
        return quantiles[coverage]

    def _predictions(
        self,
        names: Sequence[str],
        rows: npt.NDArray[np.float32],
        scores: npt.NDArray[np.float32] | None,
    ) -> Iterator[Prediction]:
        novelties = [None] * len(rows) if scores is None else scores.tolist()
        for name, probabilities, novelty in zip(names, rows, novelties, strict=True):
            yield Prediction.of(
                name,
                probabilities,
                self.class_names,
                threshold=self.threshold,
                novelty=novelty,
                novelty_limit=self.novelty_limit,
            )


def _find_file(path: Path) -> Path:
    try:
        return _find_file_in(path)
    except OSError as error:  # such as a folder that may not be entered
        raise ClassifierFileError(f"{path} cannot be read: {error.strerror}.") from error


def _find_file_in(path: Path) -> Path:
    if path.is_dir():
        file = path / FILE_NAME
        if file.exists():
            return file
        runs = sorted(path.glob(f"*/{FILE_NAME}"))
        hint = (
            f"It holds runs; name one of them, such as {runs[-1].parent}."
            if runs
            else "If it is the folder of a run, its training did not finish."
        )
        raise ClassifierFileError(f"{path} is a folder without {FILE_NAME}. {hint}")
    if not path.exists():
        from tellapart.files import similar_path

        raise ClassifierFileError(
            f"{path} does not exist: expected a {FILE_NAME} or the folder of a run."
            f"{similar_path(path)}"
        )
    return path


def _read(name: str, read: Callable[[], Raw]) -> Raw | ImageError:
    try:
        return read()
    except ImageError as error:
        return ImageError(name, error.reason)


def _job(picture: Picture | NamedPicture) -> NamedPicture:
    """Names a picture, and says how to get at it."""
    if isinstance(picture, tuple) and len(picture) == 2 and callable(picture[1]):
        return picture
    if isinstance(picture, str | Path):
        return str(picture), partial(Path, picture)
    if isinstance(picture, bytes | np.ndarray | Image.Image):
        return "", lambda: picture
    raise UsageError(
        f"A {type(picture).__name__} is no picture: expected a path, a file's content as bytes, "
        "a NumPy array or a Pillow image."
    )


def _check_batch_size(batch_size: int) -> None:
    if batch_size < 1:
        raise UsageError(f"Batch size {batch_size}: expected 1 or more.")


def describe_failed(failed: list[FailedPrediction], count: int) -> str:
    """Says how many of `count` pictures cannot be decoded, and why."""
    lines = "".join(f"\n  - {item.source or 'picture'}: {item.error}" for item in failed[:10])
    more = f"\n  ... and {len(failed) - 10:,} more" if len(failed) > 10 else ""
    return f"{len(failed):,} of {count:,} pictures cannot be decoded:{lines}{more}"
