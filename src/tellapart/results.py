"""What tellapart answers with: small frozen values that print well and turn into JSON.

This file needs NumPy alone, so that predictions stay light.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Interval:
    """A share with its interval, such as an accuracy.

    Attributes:
        value: the share itself, 0 to 1; NaN where `count` is 0.
        low: lower end of the interval.
        high: upper end of the interval.
        count: the number of pictures it was measured on.
        confidence: how often an interval made this way contains the true share.
    """

    value: float
    low: float
    high: float
    count: int
    confidence: float = 0.95

    def __str__(self) -> str:
        if not self.count:
            return "not measured (no pictures)"
        return (
            f"{self.value:.3f} ({self.confidence:.0%} interval {self.low:.3f} to {self.high:.3f})"
        )

    def __contains__(self, share: float) -> bool:
        return self.low <= share <= self.high

    def to_json(self) -> dict[str, Any]:
        """Returns the fields by name; a share measured on no pictures is null."""
        known = self.count > 0
        return {
            "value": self.value if known else None,
            "low": self.low if known else None,
            "high": self.high if known else None,
            "count": self.count,
            "confidence": self.confidence,
        }


def wilson_interval(successes: int, count: int, confidence: float = 0.95) -> Interval:
    """The score interval of Wilson (1927) for a share of `successes` in `count` trials.

        centre = (p + z²/2n) / (1 + z²/n)
        half   = z / (1 + z²/n) · sqrt(p(1-p)/n + z²/4n²)

    Unlike p ± z·sqrt(p(1-p)/n) it stays inside 0..1 and keeps its promise for small test parts
    and for accuracies near 1.

    Raises:
        ValueError: unless 0 <= successes <= count and 0 < confidence < 1.
    """
    from statistics import NormalDist

    if not 0 <= successes <= count:
        raise ValueError(f"{successes} successes of {count}: expected 0 <= successes <= count")
    if count == 0:
        return Interval(math.nan, 0.0, 1.0, 0, confidence)
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share = successes / count
    shrink = 1 + z * z / count
    centre = (share + z * z / (2 * count)) / shrink
    half = z / shrink * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    # Rounding must not push the share itself out of its own interval at 0 and 1.
    low = min(max(0.0, centre - half), share)
    high = max(min(1.0, centre + half), share)
    return Interval(share, low, high, count, confidence)


UnsureReason = Literal["unknown", "probability"]
"""Why a prediction is unsure: the picture is like nothing the network was trained on, or the most
probable class is not probable enough. Where both are so, "unknown"."""


@dataclass(frozen=True)
class Prediction:
    """What a classifier says of one picture.

    Attributes:
        source: the file's name, or "" for a picture given as pixels.
        label: the most probable class.
        probability: its probability, 0 to 1.
        probabilities: (classes,) float32, in the order of `class_names`.
        class_names: all classes, in the classifier's order.
        novelty: how strange the picture is, in standard deviations of known pictures, whose mean
            is 0; None where the classifier has no such score.
        unsure_because: why the label is no more than a best guess; None: it is an answer.
    """

    source: str
    label: str
    probability: float
    probabilities: npt.NDArray[np.float32] = field(repr=False)
    class_names: tuple[str, ...] = field(repr=False)
    novelty: float | None = None
    unsure_because: UnsureReason | None = None

    @classmethod
    def of(
        cls,
        source: str,
        probabilities: npt.NDArray[np.float32],
        class_names: tuple[str, ...],
        *,
        threshold: float = 0.0,
        novelty: float | None = None,
        novelty_limit: float = math.inf,
    ) -> Prediction:
        """Makes the prediction that belongs to a row of probabilities.

        It is unsure with a probability below the threshold, and with a novelty above its limit.
        """
        best = int(np.argmax(probabilities))
        probability = float(probabilities[best])
        because: UnsureReason | None = "probability" if probability < threshold else None
        if novelty is not None and novelty > novelty_limit:
            because = "unknown"
        return cls(
            source, class_names[best], probability, probabilities, class_names, novelty, because
        )

    @property
    def unsure(self) -> bool:
        """Whether the label is no more than a best guess."""
        return self.unsure_because is not None

    def top(self, k: int = 5) -> list[tuple[str, float]]:
        """The `k` most probable classes with their probabilities, the most probable first.

        There are never more than the classifier has classes.
        """
        order = np.argsort(-self.probabilities, kind="stable")[:k]
        return [(self.class_names[i], float(self.probabilities[i])) for i in order]

    def to_json(self, k: int = 5) -> dict[str, Any]:
        """Returns source, label, probability, whether and why it is unsure, and the top classes."""
        return {
            "source": self.source,
            "label": self.label,
            "probability": self.probability,
            "novelty": self.novelty,
            "unsure": self.unsure,
            "unsure_because": self.unsure_because,
            "top": [{"label": name, "probability": p} for name, p in self.top(k)],
        }


@dataclass(frozen=True)
class FailedPrediction:
    """A picture that could not be predicted, and why; the others go on."""

    source: str
    error: str

    def to_json(self) -> dict[str, Any]:
        """Returns source and error."""
        return {"source": self.source, "error": self.error}


@dataclass(frozen=True)
class ClassScore:
    """How well one class is recognised on the test part.

    A figure that has nothing to count (a class without test pictures, a class that is never
    predicted) is None rather than a made-up 0, and so is its interval.

    Attributes:
        name: of the class.
        count: its test pictures.
        predicted: the test pictures that are taken for it.
        precision: share of those predicted that are of the class.
        recall: share of its pictures that are recognised.
        f1: the harmonic mean of both.
        precision_interval: with 95% Wilson interval.
        recall_interval: with 95% Wilson interval.
        f1_interval: with 95% interval; see `evaluation.intervals.f1_interval`.
    """

    name: str
    count: int
    predicted: int
    precision: float | None
    recall: float | None
    f1: float | None
    precision_interval: Interval | None = None
    recall_interval: Interval | None = None
    f1_interval: Interval | None = None

    def to_json(self) -> dict[str, Any]:
        """Returns the fields by name."""
        return {
            "name": self.name,
            "count": self.count,
            "predicted": self.predicted,
            "precision": self.precision,
            "recall": self.recall,
            "f1": self.f1,
            "precision_interval": self.precision_interval and self.precision_interval.to_json(),
            "recall_interval": self.recall_interval and self.recall_interval.to_json(),
            "f1_interval": self.f1_interval and self.f1_interval.to_json(),
        }


@dataclass(frozen=True)
class Mistake:
    """A test picture that was given the wrong class."""

    source: str
    actual: str
    predicted: str
    probability: float

    def to_json(self) -> dict[str, Any]:
        """Returns the fields by name."""
        return {
            "source": self.source,
            "actual": self.actual,
            "predicted": self.predicted,
            "probability": self.probability,
        }


@dataclass(frozen=True)
class UnknownFigures:
    """How well pictures of none of the classes are told from known ones, with 95% intervals.

    Attributes:
        auroc: the chance that an unknown picture has a higher novelty than a known one: 0.5 is a
            guess, 1 tells all of them apart.
        called_unknown: the share of the unknown pictures that is called so.
        unsure: the share of them that is unsure, for that or for a low probability; all others
            get an answer, and none is right.
        known_called_unknown: the share of the known pictures that is called unknown.
        known_unsure: the share of them that is unsure, for that or for a low probability.
    """

    auroc: Interval
    called_unknown: Interval
    unsure: Interval
    known_called_unknown: Interval
    known_unsure: Interval

    def to_json(self) -> dict[str, Any]:
        """Returns the fields by name."""
        return {
            "auroc": self.auroc.to_json(),
            "called_unknown": self.called_unknown.to_json(),
            "unsure": self.unsure.to_json(),
            "known_called_unknown": self.known_called_unknown.to_json(),
            "known_unsure": self.known_unsure.to_json(),
        }


@dataclass(frozen=True)
class Evaluation:
    """What was measured on pictures that training never saw.

    Attributes:
        accuracy: share of right answers with its 95% Wilson interval.
        loss: mean cross-entropy, -log p(actual class), in nats.
        class_scores: one per class, in the order of `class_names`.
        confusion: (classes, classes) int64 counts; row: actual class, column: predicted class.
        mistakes: the wrong answers that were given with the most confidence, the worst first.
        unreadable: the pictures that were left out, and why.
        balanced_accuracy_interval: `balanced_accuracy` with its 95% interval (Price & Bonett,
            2004; see `evaluation.intervals`); None without test pictures.
        unknown: how well unknown pictures are told; None where none were given.
    """

    class_names: tuple[str, ...]
    accuracy: Interval
    loss: float
    class_scores: tuple[ClassScore, ...]
    confusion: npt.NDArray[np.int64] = field(repr=False)
    mistakes: tuple[Mistake, ...] = field(repr=False)
    unreadable: tuple[FailedPrediction, ...] = ()
    balanced_accuracy_interval: Interval | None = None
    unknown: UnknownFigures | None = None

    @property
    def balanced_accuracy(self) -> float | None:
        """The mean recall of the classes that have test pictures; None without any.

        Every class counts the same, however many pictures it has; chance is 1 / classes.
        (Brodersen et al., 2010; scikit-learn's `balanced_accuracy_score`.)
        """
        recalls = [score.recall for score in self.class_scores if score.recall is not None]
        return sum(recalls) / len(recalls) if recalls else None

    def to_json(self) -> dict[str, Any]:
        """Returns what `evaluation.json` holds."""
        return {
            "accuracy": self.accuracy.to_json(),
            "balanced_accuracy": self.balanced_accuracy,
            "balanced_accuracy_interval": self.balanced_accuracy_interval
            and self.balanced_accuracy_interval.to_json(),
            "loss": self.loss if math.isfinite(self.loss) else None,
            "class_names": list(self.class_names),
            "classes": [score.to_json() for score in self.class_scores],
            "confusion_matrix": self.confusion.tolist(),
            "top_mistakes": [mistake.to_json() for mistake in self.mistakes],
            "unreadable": [failed.to_json() for failed in self.unreadable],
            **({} if self.unknown is None else {"unknown": self.unknown.to_json()}),
        }
