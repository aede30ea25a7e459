"""How well pictures of none of the classes are told from known ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tellapart.evaluation.auroc import auroc
from tellapart.results import Interval, Prediction, UnknownFigures, wilson_interval


def measure_unknown(known: Sequence[Prediction], unknown: Sequence[Prediction]) -> UnknownFigures:
    """Compares what is said of known and of unknown pictures.

    Args:
        known: of pictures of the classifier's classes that it was not trained on.
        unknown: of pictures of anything else. All of both have a novelty.
    """
    return UnknownFigures(
        auroc=auroc(_novelties(known), _novelties(unknown)),
        called_unknown=_share([answer.unsure_because == "unknown" for answer in unknown]),
        unsure=_share([answer.unsure for answer in unknown]),
        known_called_unknown=_share([answer.unsure_because == "unknown" for answer in known]),
        known_unsure=_share([answer.unsure for answer in known]),
    )


def _novelties(answers: Sequence[Prediction]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.array([answer.novelty for answer in answers], np.float64)


def _share(found: list[bool]) -> Interval:
    return wilson_interval(sum(found), len(found))
