"""Pretrained networks: what a picture shows, in about a thousand numbers."""

from tellapart.models.backbones.registry import (
    Backbone,
    backbone_names,
    get_backbone,
    is_backbone,
    refuse_missing,
)

DEFAULT_BACKBONE = "efficientnet-lite0"
"""Its weights are always installed."""

__all__ = [
    "DEFAULT_BACKBONE",
    "Backbone",
    "backbone_names",
    "get_backbone",
    "is_backbone",
    "refuse_missing",
]
