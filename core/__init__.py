"""Overread's core: imaging, proposals, detection, store and exchange. Knows no Qt."""

__version__ = "0.1.0"
