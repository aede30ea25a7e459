"""Training a network, and telling how it goes."""
