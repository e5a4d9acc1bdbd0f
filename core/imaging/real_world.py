"""Rescaled values in the units that a file's real-world value maps give them."""

from __future__ import annotations

from core.model import SliceRef, ValueMap


def real_value(value_map: ValueMap, value: float) -> float | None:
    """What a rescaled value stands for; None outside the range that the map holds for."""
    slack = 1e-6 * max(abs(value_map.low), abs(value_map.high), 1.0)  # pixels are float32
    if not value_map.low - slack <= value <= value_map.high + slack:
        return None
    if not value_map.table:
        return value * value_map.slope + value_map.intercept
    steps = len(value_map.table) - 1
    along = (value - value_map.low) / (value_map.high - value_map.low) if steps else 0.0
    return value_map.table[min(max(round(along * steps), 0), steps)]


def real_values_text(ref: SliceRef, value: float) -> str:
    """Every quantity that a value of a slice stands for ("1.2 mm2/s, 37 Cel"); "" where there is none."""
    parts = []
    for value_map in ref.value_maps:
        found = real_value(value_map, value)
        if found is not None:
            label = f"{value_map.label} " if len(ref.value_maps) > 1 and value_map.label else ""
            unit = "" if value_map.unit in ("", "1") else f" {value_map.unit}"
            parts.append(f"{label}{found:.5g}{unit}")
    return ", ".join(parts)
