"""Bundled label schemas."""
