"""graphql-core's executor with a short cut: lists of plain objects are completed in one go.

"Plain" is decided from the schema and the selection: object types, the selected fields of
which are attributes without resolver, arguments or extensions, of leaf types or of plain
objects and lists again. Every other list, and every list in which a value is not as expected,
takes graphql-core's road from its start, so the answer is the same byte for byte.
"""

from typing import Any, cast

from graphql import (
    GraphQLField,
    GraphQLObjectType,
    GraphQLOutputType,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    is_object_type,
)
from graphql.execution.collect_fields import FieldDetailsList, GroupedFieldSet
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext
from strawberry.types.base import StrawberryObjectDefinition
from strawberry.types.field import StrawberryField

from tensorcost.graphql.execution.columns import (
    Column,
    Completer,
    NotPlain,
    leaf,
    nullable,
    objects,
    required,
    rows_of,
)

_BACKREF = "strawberry-definition"
Plans = dict[tuple[object, ...], Completer | None]
"""Completers by position in a document; None where a list is not plain."""


class FlatListExecutor(StrawberryGraphQLCoreExecutionContext):
    """``plans`` of the document in hand are kept where its selections depend on no variable."""

    def __init__(self, *args: Any, plans: Plans | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._plans: Plans = {} if plans is None else plans

    def complete_list_value(
        self,
        return_type: Any,
        field_details_list: FieldDetailsList,
        info: Any,
        path: Any,
        result: Any,
        position_context: Any,
    ) -> Any:
        """Complete a list, by columns where its items and its values are plain."""
        if type(result) in (list, tuple):
            completer = self._plan(return_type.of_type, field_details_list)
            if completer is not None:
                try:
                    return completer(result)
                except NotPlain:
                    pass
        return super().complete_list_value(
            return_type, field_details_list, info, path, result, position_context
        )

    def _plan(self, item: GraphQLOutputType, details: FieldDetailsList) -> Completer | None:
        # The nodes belong to the cached document, which outlives its plans.
        key = (id(item), *(id(detail.node) for detail in details))
        try:
            return self._plans[key]
        except KeyError:
            plan = self._plans[key] = self._item_plan(item, details)
            return plan

    def _item_plan(self, item: GraphQLOutputType, details: FieldDetailsList) -> Completer | None:
        if self.middleware_manager is not None and self.middleware_manager.middlewares:
            return None
        inner = item.of_type if is_non_null_type(item) else item
        return self._completer(item, details) if is_object_type(inner) else None

    def _completer(self, kind: GraphQLOutputType, details: FieldDetailsList) -> Completer | None:
        inner: GraphQLOutputType = kind
        wrap = nullable
        if is_non_null_type(kind):
            inner, wrap = cast("GraphQLOutputType", kind.of_type), required
        found: Completer | None = None
        if is_leaf_type(inner):
            found = leaf(inner)
        elif is_list_type(inner):
            items = self._completer(inner.of_type, details)
            found = None if items is None else rows_of(items)
        elif is_object_type(inner):
            found = self._objects(inner, details)
        return None if found is None else wrap(found)

    def _objects(self, kind: GraphQLObjectType, details: FieldDetailsList) -> Completer | None:
        collected = self.collect_subfields(kind, details)
        definition = kind.extensions.get(_BACKREF)
        if collected.new_defer_usages or not isinstance(definition, StrawberryObjectDefinition):
            return None
        columns = self._columns(kind, collected.grouped_field_set)
        if columns is None:
            return None
        return objects(definition.origin if kind.is_type_of else None, kind.name, columns)

    def _columns(self, kind: GraphQLObjectType, fields: GroupedFieldSet) -> list[Column] | None:
        columns = []
        for name, details in fields.items():
            field_name = details[0].node.name.value
            if field_name == "__typename":
                columns.append(Column(name, "", None))
                continue
            field = kind.fields.get(field_name)
            attribute = None if field is None else _attribute(field)
            if field is None or attribute is None:
                return None
            completer = self._completer(field.type, details)
            if completer is None:
                return None
            columns.append(Column(name, attribute, completer))
        return columns


def _attribute(field: GraphQLField) -> str | None:
    """The Python attribute behind a field that is nothing but an attribute, else None."""
    definition = field.extensions.get(_BACKREF)
    plain = (
        isinstance(definition, StrawberryField)
        and definition.is_basic_field
        and definition.default_resolver is getattr
        and getattr(field.resolve, "_is_default", False)
        and not field.args
    )
    return cast("StrawberryField", definition).python_name if plain else None
