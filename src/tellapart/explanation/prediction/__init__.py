"""The prediction trace: one picture through every layer of a network, and its plots and files."""

from tellapart.explanation.prediction.trace import (
    PredictionStage,
    PredictionTrace,
    prediction_trace,
)

__all__ = ["PredictionStage", "PredictionTrace", "prediction_trace"]
