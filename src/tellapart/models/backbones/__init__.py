"""Pretrained networks: what a picture shows, in about a thousand numbers."""

from tellapart.models.backbones.registry import Backbone, backbone_names, get_backbone, is_backbone

__all__ = ["Backbone", "backbone_names", "get_backbone", "is_backbone"]
