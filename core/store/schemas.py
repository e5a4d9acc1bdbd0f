"""Label schemas as files, and colours for classes that come without one."""

from __future__ import annotations

import json
import re
from importlib import resources
from typing import Any

from core.errors import InputError
from core.label_schema import STANDARD_FIELDS, AttributeField, FieldKind, LabelClass, LabelSchema, SchemaBook

Json = dict[str, Any]
_COLOR = re.compile("#[0-9a-fA-F]{6}")

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


def encode_schema(schema: LabelSchema) -> Json:
    """A schema as JSON values; what is as usual is left out, so that a file of three lines stays one."""
    tree: Json = {"name": schema.name, "classes": [_class(c) for c in schema.classes]}
    if schema.retired:
        tree["retired"] = [_class(c) for c in schema.retired]
    if schema.fields != STANDARD_FIELDS:
        tree["fields"] = [_field(f) for f in schema.fields]
    return tree


def decode_schema(tree: Json) -> LabelSchema:
    """The schema that `encode_schema` wrote.

    Raises:
        KeyError, TypeError, ValueError: The tree is not a schema.
    """
    fields = tuple(_read_field(f) for f in tree["fields"]) if "fields" in tree else STANDARD_FIELDS
    return LabelSchema(
        str(tree["name"]),
        tuple(_read_class(c) for c in tree["classes"]),
        tuple(_read_class(c) for c in tree.get("retired", ())),
        fields,
    )


def encode_book(book: SchemaBook) -> Json:
    """Several schemas as JSON values."""
    return {"schemas": [encode_schema(s) for s in book.schemas], "active": book.active}


def decode_book(tree: Json) -> SchemaBook:
    """The schemas that `encode_book` wrote.

    Raises:
        KeyError, TypeError, ValueError: The tree is not a book of schemas.
    """
    return SchemaBook(tuple(decode_schema(s) for s in tree["schemas"]), str(tree["active"]))


def _class(row: LabelClass) -> Json:
    key = {} if row.key is None else {"key": int(row.key)}
    return {"id": int(row.id), "name": row.name, "color": row.color, **key}


def _read_class(tree: Json) -> LabelClass:
    name, color, key = str(tree["name"]), str(tree["color"]), tree.get("key")
    if not _COLOR.fullmatch(color):
        raise ValueError(f"class {name!r}: color {color!r} is not #rrggbb")
    return LabelClass(int(tree["id"]), name, color, None if key is None else int(key))


def _field(field: AttributeField) -> Json:
    choices = {"choices": list(field.choices)} if field.choices else {}
    return {"id": field.id, "title": field.title, "kind": field.kind.value, **choices}


def _read_field(tree: Json) -> AttributeField:
    choices = tuple(str(c) for c in tree.get("choices", ()))
    return AttributeField(str(tree["id"]), str(tree["title"]), FieldKind(tree["kind"]), choices)


def schema_from_json(text: str, source: str) -> LabelSchema:
    """Parse `{"name": …, "classes": [{"id", "name", "color"}, …]}`, see docs/formats.md.

    Raises:
        InputError: Not JSON, or not a schema; the message names `source`.
    """
    try:
        return decode_schema(json.loads(text))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f"{source}: not a label schema ({error}).") from error


def schema_to_json(schema: LabelSchema) -> str:
    """The schema as a file, to be read and edited by people."""
    return json.dumps(encode_schema(schema), indent=2, ensure_ascii=False) + "\n"


def default_schema() -> LabelSchema:
    """The bundled schema: tumour, glioma, meningioma, pituitary."""
    file = resources.files("resources").joinpath("schemas/default.json")
    return schema_from_json(file.read_text(encoding="utf-8"), "resources/schemas/default.json")
