"""What a document may ask for: depth, aliases and cost, each in one linear pass.

Fragments are measured once and reused: the usual recursive counters walk a fragment again at
every spread, and a few nested fragments then take longer than any query they guard.

Cost: an object weighs 1, a leaf nothing, a list its items times their number: ``first`` where
the field (or the connection above it) has that argument, what the schema says of the field
(``sizes``: closed sets, and lists that the ``limit`` above them cuts), else LIST_SIZE.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    VariableNode,
)

LIST_SIZE: Final = 20
"""Items that a list without ``first`` is taken to have."""
_SIZED_BY_PARENT: Final = frozenset({"edges", "nodes"})
_INTROSPECTION: Final = frozenset({"__schema", "__type"})
"""Not measured: the schema is as deep as it is, and has its own switch."""


class Fragments:
    """The fragments of a document by name, cycles left out (validation reports those)."""

    def __init__(self, document: DocumentNode) -> None:
        self._by_name = {
            definition.name.value: definition
            for definition in document.definitions
            if isinstance(definition, FragmentDefinitionNode)
        }
        self._open: set[str] = set()

    def enter(self, spread: FragmentSpreadNode) -> FragmentDefinitionNode | None:
        """The fragment, or None where it is missing or being visited already."""
        name = spread.name.value
        if name in self._open or name not in self._by_name:
            return None
        self._open.add(name)
        return self._by_name[name]

    def leave(self, spread: FragmentSpreadNode) -> None:
        self._open.discard(spread.name.value)


@dataclass(frozen=True, slots=True)
class Shape:
    """Nested fields with sub-fields, and aliases as often as they are answered."""

    depth: int = 0
    aliases: int = 0


def check_shape(document: DocumentNode, *, max_depth: int, max_aliases: int) -> list[GraphQLError]:
    """An error for each operation that is too deep or has too many aliases."""
    measure = _ShapeMeasure(document)
    errors = []
    for operation in operations(document):
        shape = measure.of(operation.selection_set)
        name = operation.name.value if operation.name else "the operation"
        if shape.depth > max_depth:
            errors.append(GraphQLError(f"{name} is deeper than {max_depth} levels", [operation]))
        if shape.aliases > max_aliases:
            errors.append(
                GraphQLError(f"{name} has {shape.aliases} aliases, allowed: {max_aliases}")
            )
    return errors


def operations(document: DocumentNode) -> Iterator[OperationDefinitionNode]:
    """The operations of a document."""
    for definition in document.definitions:
        if isinstance(definition, OperationDefinitionNode):
            yield definition


class _ShapeMeasure:
    def __init__(self, document: DocumentNode) -> None:
        self._fragments = Fragments(document)
        self._known: dict[str, Shape] = {}

    def of(self, selections: SelectionSetNode) -> Shape:
        shapes = [self._selection(selection) for selection in selections.selections]
        return Shape(
            max((shape.depth for shape in shapes), default=0),
            sum(shape.aliases for shape in shapes),
        )

    def _selection(self, selection: SelectionNode) -> Shape:
        if isinstance(selection, FieldNode):
            own = 1 if selection.alias else 0
            if selection.selection_set is None or selection.name.value in _INTROSPECTION:
                return Shape(0, own)
            inner = self.of(selection.selection_set)
            return Shape(inner.depth + 1, inner.aliases + own)
        if isinstance(selection, InlineFragmentNode):
            return self.of(selection.selection_set)
        return self._spread(selection) if isinstance(selection, FragmentSpreadNode) else Shape()

    def _spread(self, spread: FragmentSpreadNode) -> Shape:
        name = spread.name.value
        if name not in self._known:
            fragment = self._fragments.enter(spread)
            if fragment is None:
                return Shape()
            self._known[name] = self.of(fragment.selection_set)
            self._fragments.leave(spread)
        return self._known[name]


def argument_of(field: FieldNode, name: str, variables: dict[str, Any]) -> int | None:
    """The value of a number's argument, None where it is not given or no number."""
    for argument in field.arguments or ():
        if argument.name.value == name:
            value: Any = None
            if isinstance(argument.value, IntValueNode):
                value = int(argument.value.value)
            elif isinstance(argument.value, VariableNode):
                value = variables.get(argument.value.name.value)
            return value if type(value) is int and value >= 0 else None
    return None


def sized_by_parent(field: FieldNode) -> bool:
    """Whether the field is the list that a connection's ``first`` speaks of."""
    return field.name.value in _SIZED_BY_PARENT
