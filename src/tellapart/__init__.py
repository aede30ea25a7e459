"""From pixels to predictions: train, understand, trust and use picture classifiers.

    import tellapart as ta

    run = ta.train("photos/")
    print(run.evaluation.accuracy)
    ta.Classifier.load(run.path).predict("new.jpg").label

Names are imported on first use, so that `import tellapart` is instant and predicting never
imports Keras or TensorFlow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tellapart.version import __version__

if TYPE_CHECKING:
    from tellapart.classifier import Classifier as Classifier
    from tellapart.collection.sort import plan_sort as plan_sort
    from tellapart.collection.sort import resume_sort as resume_sort
    from tellapart.collection.sort import sort as sort
    from tellapart.collection.sort import undo_sort as undo_sort
    from tellapart.data import load as load
    from tellapart.data.dataset import Dataset as Dataset
    from tellapart.errors import TellapartError as TellapartError
    from tellapart.explanation.flow import data_flow as data_flow
    from tellapart.finished_run import Run as Run
    from tellapart.images import ImageSpec as ImageSpec
    from tellapart.pipeline import resume as resume
    from tellapart.pipeline import train as train
    from tellapart.results import Evaluation as Evaluation
    from tellapart.results import FailedPrediction as FailedPrediction
    from tellapart.results import Interval as Interval
    from tellapart.results import Prediction as Prediction
    from tellapart.training.recipe import Recipe as Recipe

_HOMES = {
    "Classifier": "tellapart.classifier",
    "Dataset": "tellapart.data.dataset",
    "Evaluation": "tellapart.results",
    "FailedPrediction": "tellapart.results",
    "ImageSpec": "tellapart.images",
    "Interval": "tellapart.results",
    "Prediction": "tellapart.results",
    "Recipe": "tellapart.training.recipe",
    "Run": "tellapart.finished_run",
    "TellapartError": "tellapart.errors",
    "data_flow": "tellapart.explanation.flow",
    "load": "tellapart.data",
    "plan_sort": "tellapart.collection.sort",
    "resume": "tellapart.pipeline",
    "resume_sort": "tellapart.collection.sort",
    "sort": "tellapart.collection.sort",
    "train": "tellapart.pipeline",
    "undo_sort": "tellapart.collection.sort",
}

__all__ = [
    "Classifier",
    "Dataset",
    "Evaluation",
    "FailedPrediction",
    "ImageSpec",
    "Interval",
    "Prediction",
    "Recipe",
    "Run",
    "TellapartError",
    "__version__",
    "data_flow",
    "load",
    "plan_sort",
    "resume",
    "resume_sort",
    "sort",
    "train",
    "undo_sort",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        import importlib

        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'tellapart' has no attribute '{name}'")


def __dir__() -> list[str]:
    return __all__
