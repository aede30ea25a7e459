"""What a network is worth, measured on pictures that training never saw.

`metrics` and `predictions` need NumPy alone, so that a classifier file can be evaluated where
nothing else is installed; `plots` needs matplotlib and is imported by training only.
"""

from tellapart.evaluation.metrics import (
    check_probabilities,
    evaluate,
    most_confused,
    worst_mistakes,
)
from tellapart.evaluation.predictions import prediction_rows, write_predictions_csv

__all__ = [
    "check_probabilities",
    "evaluate",
    "most_confused",
    "prediction_rows",
    "worst_mistakes",
    "write_predictions_csv",
]
