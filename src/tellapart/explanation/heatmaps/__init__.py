"""Where a network looked: maps over a picture of what speaks for a class.

    explainer = explainer_of_classifier(Classifier.load("runs/photos-1"))
    explanation = explain_picture(classifier, explainer, Path("new.jpg"), "new.jpg")
    save_page(explanation, Path("new-explained.png"))

`explain_pixels` and `explain_pixels_from_classifier` map pictures of the network's size in
batches, and `heat_overlay` lays a map over its picture. How the methods were chosen:
docs/heatmaps.md.
"""

from tellapart.explanation.heatmaps.explainers import (
    METHODS,
    Explainer,
    explain_pixels,
    explain_pixels_from_classifier,
    explainer_of_classifier,
    explainer_of_model,
)
from tellapart.explanation.heatmaps.overlay import heat_overlay
from tellapart.explanation.heatmaps.picture import ClassMap, Explanation, explain_picture
from tellapart.explanation.heatmaps.placement import Box, Placement, onto_picture, place

__all__ = [
    "METHODS",
    "Box",
    "ClassMap",
    "Explainer",
    "Explanation",
    "Placement",
    "explain_picture",
    "explain_pixels",
    "explain_pixels_from_classifier",
    "explainer_of_classifier",
    "explainer_of_model",
    "heat_overlay",
    "onto_picture",
    "place",
]
