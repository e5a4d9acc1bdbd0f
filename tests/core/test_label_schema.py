"""Label schemas: ids outlive renaming and removing; several schemas share one set of ids."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.label_schema import (
    CERTAINTY,
    COMMENT,
    AttributeField,
    FieldKind,
    LabelClass,
    LabelSchema,
    SchemaBook,
    attributes_of,
)

SCHEMA = LabelSchema("head", (LabelClass(1, "tumour"), LabelClass(4, "cyst"), LabelClass(7, "bleed")))


@given(st.lists(st.tuples(st.sampled_from(["add", "rename", "remove"]), st.integers(0, 9)), max_size=20))
def test_no_run_of_changes_gives_an_id_to_a_second_class(steps: list[tuple[str, int]]) -> None:
    schema, first_names = SCHEMA, {c.id: c.name for c in SCHEMA.classes}
    for number, (what, at) in enumerate(steps):
        if what == "add":
            schema = schema.with_class(f"new {number}")
            made = schema.classes[-1]
            assert made.id not in first_names
            first_names[made.id] = made.name
        elif schema.classes:
            row = schema.classes[at % len(schema.classes)]
            renamed = schema.changed(replace(row, name=f"name {number}"))
            schema = renamed if what == "rename" else schema.without_class(row.id)
        assert {c.id for c in (*schema.classes, *schema.retired)} == set(first_names)


def test_a_removed_class_keeps_its_name_and_comes_back_as_itself() -> None:
    gone = SCHEMA.without_class(4)
    assert (gone.name_of(4), gone.offers(4), gone.by_name("cyst")) == ("cyst", False, None)
    assert gone.with_class("cavernoma").classes[-1].id == 8
    back = gone.with_class("cyst")
    assert back.by_name("cyst") == LabelClass(4, "cyst")
    assert back.retired == ()


def test_class_keys_are_the_ids_until_given() -> None:
    assert [SCHEMA.key_of(i) for i in (1, 4, 7)] == [1, 4, 7]
    given_away = SCHEMA.changed(replace(SCHEMA.classes[2], key=1))
    found = given_away.by_key(1)
    assert found is not None
    assert found.id == 7
    assert [given_away.key_of(i) for i in (1, 4, 7)] == [None, 4, 1]
    assert SCHEMA.changed(replace(SCHEMA.classes[0], key=0)).by_key(1) is None
    with pytest.raises(ValueError, match="keys must be unique"):
        LabelSchema("x", (LabelClass(1, "a", key=2), LabelClass(2, "b", key=2)))


def test_covering_lists_the_removed_classes_that_boxes_still_have() -> None:
    schema = SCHEMA.without_class(4).without_class(7).with_class("cyst 2")
    schema = schema.changed(replace(schema.classes[-1], name="bleed"))
    covered = schema.covering([1, 7])
    assert [(c.id, c.name) for c in covered.classes] == [(1, "tumour"), (8, "bleed"), (7, "bleed (7)")]
    assert [c.id for c in covered.retired] == [4]


def test_a_class_id_means_one_class_in_all_schemas_of_a_book() -> None:
    book = SchemaBook((SCHEMA,), "head")
    spine = LabelSchema("spine", (LabelClass(1, "metastasis"), LabelClass(12, "cyst")))
    both, moved = book.added(spine)
    assert (both.active, moved) == ("spine", {1: 13})
    assert [(c.id, c.name) for c in both.schema.classes] == [(13, "metastasis"), (12, "cyst")]
    assert both.schema.name_of(1) == "tumour"
    assert not both.schema.offers(1)
    assert both.with_class("fracture", "#000000").schema.classes[-1].id == 14
    left = both.without("head")
    assert [c.name for c in left.schema.retired] == ["tumour", "cyst", "bleed"]
    with pytest.raises(ValueError, match="only one"):
        left.without("spine")
    with pytest.raises(ValueError, match="stands in two schemas"):
        SchemaBook((SCHEMA, LabelSchema("x", (LabelClass(4, "y"),))), "x")


@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [
        (CERTAINTY, 5, 6),
        (CERTAINTY, 1, True),
        (COMMENT, "as before", 3),
        (AttributeField("edge", "Edge", FieldKind.CHOICE, ("sharp", "blurred")), "sharp", "round"),
        (AttributeField("calc", "Calcified", FieldKind.FLAG), False, 0),
    ],
)
def test_a_field_takes_what_it_is_for(field: AttributeField, good: bool | int | str, bad: int | str) -> None:
    assert field.accepts(good)
    assert not field.accepts(bad)


def test_attributes_leave_out_what_says_nothing() -> None:
    assert attributes_of({"b": "", "c": None, "a": 3, "d": False}) == (("a", 3), ("d", False))


@pytest.mark.parametrize(
    ("kind", "choices"), [(FieldKind.CHOICE, ()), (FieldKind.TEXT, ("a",)), (FieldKind.CHOICE, ("a", "a"))]
)
def test_a_field_with_wrong_choices_is_refused(kind: FieldKind, choices: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="choices"):
        AttributeField("f", "Field", kind, choices)
