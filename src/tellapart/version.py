"""The version, read by the build and by `tellapart --version`."""

__version__ = "0.1.0"
