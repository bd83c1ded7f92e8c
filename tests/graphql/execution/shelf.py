"""A small schema of its own for the executor: plain lists, and everything that is not plain."""

import enum
from datetime import datetime
from typing import Any

import strawberry
from strawberry.scalars import JSON


@strawberry.enum
class Colour(enum.Enum):
    RED = "r"
    BLUE = "b"


@strawberry.interface
class Named:
    name: str


@strawberry.type
class Shelf:
    label: str | None
    width: int


@strawberry.type
class Item(Named):
    count: int
    weight: float | None
    ok: bool
    key: strawberry.ID
    colour: Colour
    at: datetime
    extra: JSON | None
    shelf: Shelf | None
    shelves: list[Shelf]
    maybe: list[Shelf | None] | None
    words: list[str]

    @strawberry.field
    def shout(self) -> str:
        return self.name.upper()

    @strawberry.field
    async def slow(self, times: int = 1) -> str:
        return self.name * times


@strawberry.type
class Bag:
    items: list[Item]
    loose: list[Item | None] | None
    things: list[Named]
    numbers: list[int]


@strawberry.type
class Query:
    @strawberry.field
    async def bag(self, info: strawberry.Info) -> Bag | None:
        return info.context.bag

    @strawberry.field
    def must(self, info: strawberry.Info) -> Bag:
        return info.context.bag

    @strawberry.field
    def small(self) -> str:
        return "x"


schema = strawberry.Schema(Query)


class Holder:
    def __init__(self, bag: Any) -> None:
        self.bag = bag
