"""Documents, parsed and validated once and kept by their text."""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any, Final

from graphql import (
    DirectiveNode,
    DocumentNode,
    FieldNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    NoSchemaIntrospectionCustomRule,
    OperationDefinitionNode,
    VariableNode,
    Visitor,
    parse,
    specified_rules,
    validate,
    visit,
)
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule

from tensorcost.graphql.execution.cost import operation_cost
from tensorcost.graphql.execution.flat import Plans
from tensorcost.graphql.execution.limits import check_shape, operations
from tensorcost.graphql.settings import GraphqlSettings

_RULES: Final = (*specified_rules, MaybeNullValidationRule, OneOfInputValidationRule)
_COSTS_KEPT: Final = 64
_LONGEST_KEPT: Final = 20_000
"""Characters of a document that is worth its memory; longer ones are prepared each time."""
_TOO_DEEP: Final = "the document is nested too deeply"


@dataclass(slots=True)
class Prepared:
    """A document fit to run, or ``errors`` that say why it is not."""

    schema: GraphQLSchema
    document: DocumentNode | None
    errors: list[GraphQLError]
    plans: Plans | None = None
    """Kept completers of lists; None where a directive makes selections depend on variables."""
    sizes: tuple[str, ...] = ()
    """Variables that say how long a list is: all that the cost depends on."""
    _costs: dict[tuple[Any, ...], int] = field(default_factory=dict)

    def operation(self, name: str | None) -> OperationDefinitionNode | None:
        """The named operation, or the only one; None where that is not one operation."""
        found = [] if self.document is None else list(operations(self.document))
        if name is not None:
            found = [one for one in found if one.name is not None and one.name.value == name]
        return found[0] if len(found) == 1 else None

    def cost(self, operation: OperationDefinitionNode, variables: dict[str, Any]) -> int:
        """What ``operation`` costs with ``variables``."""
        assert self.document is not None
        sizes = [variables.get(name, ...) for name in self.sizes]
        # Values come from clients: only what the cost can depend on becomes part of the key.
        key = (id(operation), *(size if type(size) is int else ... for size in sizes))
        cost = self._costs.get(key)
        if cost is None:
            cost = operation_cost(self.schema, self.document, operation, variables)
            if len(self._costs) < _COSTS_KEPT:
                self._costs[key] = cost
        return cost


class Documents:
    """A bounded store of valid documents; the one used longest ago is forgotten first."""

    def __init__(self, schema: GraphQLSchema, settings: GraphqlSettings) -> None:
        self._schema = schema
        self._settings = settings
        self._rules = (
            _RULES if settings.introspection else (*_RULES, NoSchemaIntrospectionCustomRule)
        )
        self._kept: OrderedDict[str, Prepared] = OrderedDict()

    def prepare(self, text: str) -> Prepared:
        """The document of ``text``; what is wrong with it is in its ``errors``."""
        prepared = self._kept.get(text)
        if prepared is not None:
            self._kept.move_to_end(text)
            return prepared
        prepared = self._prepare(text)
        if not prepared.errors and len(text) <= _LONGEST_KEPT:
            self._kept[text] = prepared
            if len(self._kept) > self._settings.documents:
                self._kept.popitem(last=False)
        return prepared

    def _prepare(self, text: str) -> Prepared:
        try:
            document = parse(text, max_tokens=self._settings.max_tokens)
            errors = check_shape(
                document,
                max_depth=self._settings.max_depth,
                max_aliases=self._settings.max_aliases,
            )
            errors = errors or validate(
                self._schema,
                document,
                self._rules,
                hide_suggestions=not self._settings.introspection,
            )
        except GraphQLSyntaxError as error:
            return Prepared(self._schema, None, [error])
        except RecursionError:
            return Prepared(self._schema, None, [GraphQLError(_TOO_DEEP)])
        if errors:
            return Prepared(self._schema, None, errors)
        found = _Dependencies()
        visit(document, found)
        return Prepared(
            self._schema,
            document,
            [],
            plans=None if found.has_directives else {},
            sizes=tuple(sorted(found.sizes)),
        )


class _Dependencies(Visitor):
    """What of a document depends on its variables."""

    def __init__(self) -> None:
        super().__init__()
        self.has_directives = False
        self.sizes: set[str] = set()

    def enter_directive(self, _node: DirectiveNode, *_: Any) -> None:
        self.has_directives = True

    def enter_field(self, node: FieldNode, *_: Any) -> None:
        for argument in node.arguments or ():
            if argument.name.value == "first" and isinstance(argument.value, VariableNode):
                self.sizes.add(argument.value.name.value)
