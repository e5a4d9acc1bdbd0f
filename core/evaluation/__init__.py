"""Measuring detections against the truth."""
