"""The cost of an operation with its variables, in one linear pass (see ``limits``)."""

from typing import Any, cast

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    get_named_type,
    get_nullable_type,
    is_list_type,
)

from tensorcost.graphql.execution.limits import (
    LIST_SIZE,
    Fragments,
    argument_of,
    sized_by_parent,
)
from tensorcost.graphql.execution.sizes import size_of


def operation_cost(
    schema: GraphQLSchema,
    document: DocumentNode,
    operation: OperationDefinitionNode,
    variables: dict[str, Any],
) -> int:
    """Objects that a validated operation may answer with, at most, as far as it can be told.

    ``variables`` holds the values sent and the defaults of those that were not.
    """
    root = schema.get_root_type(operation.operation)
    if root is None:
        return 0
    defaults = {
        definition.variable.name.value: int(cast("Any", definition.default_value).value)
        for definition in operation.variable_definitions or ()
        if getattr(definition.default_value, "kind", None) == "int_value"
    }
    measure = _Cost(schema, document, {**defaults, **variables})
    return measure.of(root, operation.selection_set, None)


class _Cost:
    def __init__(
        self, schema: GraphQLSchema, document: DocumentNode, variables: dict[str, Any]
    ) -> None:
        self._schema = schema
        self._variables = variables
        self._fragments = Fragments(document)
        self._known: dict[tuple[str, int | None], int] = {}

    def of(self, parent: GraphQLNamedType, selections: SelectionSetNode, size: int | None) -> int:
        return sum(self._selection(parent, node, size) for node in selections.selections)

    def _selection(
        self, parent: GraphQLNamedType, selection: SelectionNode, size: int | None
    ) -> int:
        if isinstance(selection, FieldNode):
            return self._field(parent, selection, size)
        if isinstance(selection, InlineFragmentNode):
            condition = selection.type_condition
            inside = self._schema.get_type(condition.name.value) if condition else parent
            return self.of(inside or parent, selection.selection_set, size)
        if isinstance(selection, FragmentSpreadNode):
            return self._spread(selection, size)
        return 0

    def _field(self, parent: GraphQLNamedType, field: FieldNode, size: int | None) -> int:
        if field.selection_set is None or not isinstance(
            parent, GraphQLObjectType | GraphQLInterfaceType
        ):
            return 0
        definition = parent.fields.get(field.name.value)
        if definition is None:
            return 0
        first = argument_of(field, "first", self._variables)
        below = argument_of(field, "limit", self._variables) if first is None else first
        inner = 1 + self.of(get_named_type(definition.type), field.selection_set, below)
        if not is_list_type(get_nullable_type(definition.type)):
            return inner
        return inner * (_items(field, definition, size) if first is None else first)

    def _spread(self, spread: FragmentSpreadNode, size: int | None) -> int:
        key = (spread.name.value, size)
        if key not in self._known:
            fragment = self._fragments.enter(spread)
            if fragment is None:
                return 0
            inside = self._schema.get_type(fragment.type_condition.name.value)
            self._known[key] = (
                0 if inside is None else self.of(inside, fragment.selection_set, size)
            )
            self._fragments.leave(spread)
        return self._known[key]


def _items(field: FieldNode, definition: GraphQLField, size: int | None) -> int:
    """Items of a list without ``first``; ``size`` is what the field above it was given."""
    known = size_of(definition)
    if known is not None and not known.by_limit:
        return known.items
    if size is not None and (known is not None or sized_by_parent(field)):
        return size
    return LIST_SIZE if known is None else known.items
