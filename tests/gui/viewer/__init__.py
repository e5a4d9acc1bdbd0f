"""Tests of the slice viewer."""
