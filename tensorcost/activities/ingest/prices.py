"""The price book of each tenant, kept until a newer version is imported."""

from collections import OrderedDict

from tensorcost.domain.cost.price_book import PriceBook
from tensorcost.domain.ids import TenantId
from tensorcost.storage.prices import price_state, read_prices
from tensorcost.storage.session import Database, TenantTx

_MAX_BOOKS = 64


class PriceBooks:
    """Least recently used books go first; each use asks Postgres only for the newest version."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._books: OrderedDict[TenantId, tuple[tuple[int, int], PriceBook]] = OrderedDict()

    async def current(self, tenant_id: TenantId) -> PriceBook:
        """The book in force for ``tenant_id``: the global list and its own overrides."""
        async with self._db.tenant(tenant_id) as tx:
            return await self.read(tx)

    async def read(self, tx: TenantTx) -> PriceBook:
        """The same inside a transaction that is open already."""
        state = await price_state(tx)
        kept = self._books.get(tx.tenant_id)
        if kept is not None and kept[0] == state:
            self._books.move_to_end(tx.tenant_id)
            return kept[1]
        book = PriceBook(*await read_prices(tx))
        self._books[tx.tenant_id] = (state, book)
        while len(self._books) > _MAX_BOOKS:
            self._books.popitem(last=False)
        return book
