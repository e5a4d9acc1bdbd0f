"""Measurements, and pictures of the running window."""
