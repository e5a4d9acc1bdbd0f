"""Label schemas: the classes a box can have, what else can be said of a box, and several schemas in a book.

Ids are the law: a class keeps its id through every renaming, a removed class keeps it too (the boxes that
have it still know their name), and no id is ever given to a second class.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

AttributeValue = bool | int | str
Attributes = tuple[tuple[str, AttributeValue], ...]
"""Values by field id, sorted by it, so that equal attributes are equal values."""

HIGHEST_KEY = 9


@dataclass(frozen=True, slots=True)
class LabelClass:
    """A class with an id that never changes and is never reused.

    Attributes:
        id: From 1.
        name: What readers call it.
        color: "#rrggbb".
        key: The number whose class key chooses it, 1 to 9; 0 for none; None for that of its id.
    """

    id: int
    name: str
    color: str = "#ffb000"
    key: int | None = None


class FieldKind(StrEnum):
    """What a field holds: 1 to 5, a text, one of a list, or yes and no."""

    SCALE = "scale"
    TEXT = "text"
    CHOICE = "choice"
    FLAG = "flag"


SCALE = range(1, 6)


@dataclass(frozen=True, slots=True)
class AttributeField:
    """Something a reader can say of a box beside its class.

    Attributes:
        id: Stays the same when the title changes; values are kept by it.
        title: What readers see.
        kind: What it holds.
        choices: Of a choice, what there is to choose from.

    Raises:
        ValueError: No id or title, a choice without choices, or choices of something else.
    """

    id: str
    title: str
    kind: FieldKind
    choices: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.id or not self.title:
            raise ValueError(f"field {self.id or self.title!r}: a field needs an id and a title")
        if (self.kind is FieldKind.CHOICE) != bool(self.choices):
            raise ValueError(
                f"field {self.title!r}: choices belong to a field of kind choice, and only there"
            )
        if len(set(self.choices)) != len(self.choices) or not all(self.choices):
            raise ValueError(f"field {self.title!r}: choices must be unique and not empty")

    def accepts(self, value: AttributeValue) -> bool:
        """Whether the field can hold the value."""
        if isinstance(value, bool) or self.kind is FieldKind.FLAG:
            return isinstance(value, bool) and self.kind is FieldKind.FLAG
        if self.kind is FieldKind.SCALE:
            return isinstance(value, int) and value in SCALE
        return isinstance(value, str) and (self.kind is FieldKind.TEXT or value in self.choices)


CERTAINTY = AttributeField("certainty", "Certainty", FieldKind.SCALE)
COMMENT = AttributeField("comment", "Comment", FieldKind.TEXT)
STANDARD_FIELDS = (CERTAINTY, COMMENT)


def attributes_of(values: Mapping[str, AttributeValue | None]) -> Attributes:
    """Attributes from values by field id; None and empty text say nothing and are left out."""
    return tuple(sorted((k, v) for k, v in values.items() if v is not None and v != ""))


@dataclass(frozen=True, slots=True)
class LabelSchema:
    """The classes a box can have. Ids are ≥ 1 and stable; adding, renaming and removing never renumber.

    Attributes:
        name: Of the schema.
        classes: What a reader can choose.
        retired: Removed classes, and in a workspace those of its other schemas: boxes may have them, no new
            class gets their ids.
        fields: What can be said of a box.

    Raises:
        ValueError: Ids, names, keys or fields are doubled, or a name is empty.
    """

    name: str
    classes: tuple[LabelClass, ...]
    retired: tuple[LabelClass, ...] = ()
    fields: tuple[AttributeField, ...] = STANDARD_FIELDS

    def __post_init__(self) -> None:
        ids = [c.id for c in (*self.classes, *self.retired)]
        names = [c.name for c in self.classes]
        keys = [c.key for c in self.classes if c.key]
        fields = [f.id for f in self.fields]
        if len(set(ids)) != len(ids) or any(i < 1 for i in ids):
            raise ValueError(
                f"label schema {self.name!r}: class ids must be unique and at least 1, got {ids}"
            )
        if len(set(names)) != len(names) or not all(names):
            raise ValueError(f"label schema {self.name!r}: class names must be unique and not empty")
        if len(set(keys)) != len(keys) or any(not 0 < k <= HIGHEST_KEY for k in keys):
            raise ValueError(f"label schema {self.name!r}: class keys must be unique and 1 to 9, got {keys}")
        if len(set(fields)) != len(fields):
            raise ValueError(f"label schema {self.name!r}: field ids must be unique, got {fields}")

    def by_id(self, label_id: int) -> LabelClass | None:
        """The class of that id, also a retired one, or None."""
        return next((c for c in (*self.classes, *self.retired) if c.id == label_id), None)

    def by_name(self, name: str) -> LabelClass | None:
        """The class of that name that can be chosen, or None."""
        return next((c for c in self.classes if c.name == name), None)

    def by_key(self, key: int) -> LabelClass | None:
        """The class that a class key chooses: the one given that key, else the one with that id."""
        given = next((c for c in self.classes if c.key == key), None)
        return given or next((c for c in self.classes if c.key is None and c.id == key), None)

    def key_of(self, label_id: int) -> int | None:
        """The class key that chooses a class, or None."""
        keys = range(1, HIGHEST_KEY + 1)
        return next((k for k in keys if (c := self.by_key(k)) is not None and c.id == label_id), None)

    def offers(self, label_id: int) -> bool:
        """Whether the class can be chosen."""
        return any(c.id == label_id for c in self.classes)

    def name_of(self, label_id: int) -> str:
        """The class's name; "class N" for an id the schema lacks."""
        found = self.by_id(label_id)
        return found.name if found else f"class {label_id}"

    def with_class(self, name: str, color: str = "#ffb000", label_id: int | None = None) -> LabelSchema:
        """This schema and one more class: the retired one of that name, else a new one.

        Args:
            name: Its name.
            color: Of a new class.
            label_id: Of a new class; the next that was never used unless given.
        """
        back = next((c for c in self.retired if c.name == name), None)
        if back is not None and label_id in (None, back.id):
            rest = tuple(c for c in self.retired if c is not back)
            return replace(self, classes=(*self.classes, replace(back, key=None)), retired=rest)
        new_id = label_id if label_id is not None else self.highest_id + 1
        return replace(self, classes=(*self.classes, LabelClass(new_id, name, color)))

    @property
    def highest_id(self) -> int:
        """The highest id ever given; 0 for none."""
        return max((c.id for c in (*self.classes, *self.retired)), default=0)

    def without_class(self, label_id: int) -> LabelSchema:
        """This schema with a class retired."""
        gone = tuple(c for c in self.classes if c.id == label_id)
        return replace(
            self, classes=tuple(c for c in self.classes if c.id != label_id), retired=(*self.retired, *gone)
        )

    def changed(self, row: LabelClass) -> LabelSchema:
        """This schema with another name, colour or key for the class of that id; its place stays."""
        return replace(self, classes=tuple(row if c.id == row.id else c for c in self.classes))

    def covering(self, label_ids: Iterable[int]) -> LabelSchema:
        """This schema with those retired classes among its own that boxes still have.

        Names that two classes then share are told apart by their ids.
        """
        used = set(label_ids)
        back = [c for c in self.retired if c.id in used]
        taken = {c.name for c in self.classes}
        added: list[LabelClass] = []
        for row in back:
            name = row.name if row.name not in taken else f"{row.name} ({row.id})"
            taken.add(name)
            added.append(replace(row, name=name, key=0))
        rest = tuple(c for c in self.retired if c.id not in used)
        return replace(self, classes=(*self.classes, *added), retired=rest)


@dataclass(frozen=True, slots=True)
class SchemaBook:
    """The label schemas of a workspace. A class id means the same class in all of them.

    Attributes:
        schemas: In the order they were made; at least one, names unique.
        active: Name of the one that new boxes get their classes from.

    Raises:
        ValueError: No schema, doubled names, two classes of one id, or no schema of the active name.
    """

    schemas: tuple[LabelSchema, ...]
    active: str

    def __post_init__(self) -> None:
        names = [s.name for s in self.schemas]
        ids = [c.id for s in self.schemas for c in (*s.classes, *s.retired)]
        if len(set(names)) != len(names) or self.active not in names:
            raise ValueError(f"label schemas need unique names, one of them active; got {names}")
        if len(set(ids)) != len(ids):
            raise ValueError("label schemas: a class id stands in two schemas")

    @property
    def slice_key(self) -> str:
        """Schemas belong to no slice; the journal keeps them under the empty key."""
        return ""

    @property
    def schema(self) -> LabelSchema:
        """The active schema; the classes of the others are among its retired ones."""
        mine = self.own(self.active)
        others = (c for s in self.schemas if s.name != self.active for c in (*s.classes, *s.retired))
        return replace(mine, retired=(*mine.retired, *others))

    def own(self, name: str) -> LabelSchema:
        """A schema as it is in the book.

        Raises:
            KeyError: There is none of that name.
        """
        found = next((s for s in self.schemas if s.name == name), None)
        if found is None:
            raise KeyError(name)
        return found

    @property
    def highest_id(self) -> int:
        """The highest class id ever given in any schema."""
        return max(s.highest_id for s in self.schemas)

    def changed(self, schema: LabelSchema, name: str | None = None) -> SchemaBook:
        """The book with a schema in the place of the one of that name (its own unless given)."""
        old = name or schema.name
        active = schema.name if self.active == old else self.active
        return SchemaBook(tuple(schema if s.name == old else s for s in self.schemas), active)

    def with_class(self, name: str, color: str) -> SchemaBook:
        """The book with one more class in the active schema."""
        mine = self.own(self.active)
        known = any(c.name == name for c in mine.retired)
        grown = mine.with_class(name, color, None if known else self.highest_id + 1)
        return self.changed(grown)

    def added(self, schema: LabelSchema) -> tuple[SchemaBook, dict[int, int]]:
        """The book with one more schema, made active.

        Ids that a class of another schema has already are given anew, above all others.

        Returns:
            The book, and the new ids by the old ones where they had to change.

        Raises:
            ValueError: There is a schema of that name.
        """
        taken = {c.id for s in self.schemas for c in (*s.classes, *s.retired)}
        free = max(self.highest_id, schema.highest_id)
        new_ids: dict[int, int] = {}
        for row in (*schema.classes, *schema.retired):
            if row.id in taken:
                free += 1
                new_ids[row.id] = free

        def own(rows: tuple[LabelClass, ...]) -> tuple[LabelClass, ...]:
            return tuple(replace(c, id=new_ids.get(c.id, c.id)) for c in rows)

        mine = replace(schema, classes=own(schema.classes), retired=own(schema.retired))
        return SchemaBook((*self.schemas, mine), schema.name), new_ids

    def without(self, name: str) -> SchemaBook:
        """The book without a schema; its classes are retired in the first of the others.

        Raises:
            ValueError: It is the only one.
        """
        gone = self.own(name)
        first, *rest = (s for s in self.schemas if s.name != name) if len(self.schemas) > 1 else (None,)
        if first is None:
            raise ValueError(f"label schema {name!r}: it is the only one and cannot be removed")
        kept = replace(first, retired=(*first.retired, *gone.classes, *gone.retired))
        active = kept.name if self.active == name else self.active
        return SchemaBook((kept, *rest), active)
