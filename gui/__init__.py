"""The desktop application over core."""
