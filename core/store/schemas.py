"""Label schemas as files, and colours for classes that come without one."""

from __future__ import annotations

import json
from importlib import resources

from core.errors import InputError
from core.model import LabelClass, LabelSchema

# Okabe and Ito's set, told apart by colour-blind readers, without black. First the four that also stand
# out from grey pixels under every kind of colour blindness (tests/core/store/test_schemas.py measures it).
PALETTE = ("#e69f00", "#56b4e9", "#f0e442", "#d55e00", "#0072b2", "#009e73", "#cc79a7")


def next_color(schema: LabelSchema) -> str:
    """The palette's first colour that the schema does not use yet, or the next one in turn."""
    used = {c.color.lower() for c in schema.classes}
    free = [color for color in PALETTE if color not in used]
    return free[0] if free else PALETTE[len(schema.classes) % len(PALETTE)]


def schema_from_names(name: str, classes: list[str]) -> LabelSchema:
    """A schema with ids 1, 2, … in the order of the names, coloured from the palette."""
    schema = LabelSchema(name, ())
    for class_name in classes:
        schema = schema.with_class(class_name, next_color(schema))
    return schema


def schema_from_json(text: str, source: str) -> LabelSchema:
    """Parse `{"name": …, "classes": [{"id", "name", "color"}, …]}`.

    Raises:
        InputError: Not JSON, or not a schema; the message names `source`.
    """
    try:
        tree = json.loads(text)
        rows = [LabelClass(int(c["id"]), str(c["name"]), str(c["color"])) for c in tree["classes"]]
        return LabelSchema(str(tree["name"]), tuple(rows))
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{source}: not a label schema ({error}).") from error


def default_schema() -> LabelSchema:
    """The bundled schema: tumour, glioma, meningioma, pituitary."""
    file = resources.files("resources").joinpath("schemas/default.json")
    return schema_from_json(file.read_text(encoding="utf-8"), "resources/schemas/default.json")
