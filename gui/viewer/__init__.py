"""The slice viewer: canvas, layers, tools, overlays, slice strip."""
