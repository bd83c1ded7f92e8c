"""REST under /v1, one module an area. How to write one:

    from tensorcost.gateway.envelope import Bytes, Envelope, created, ok
    from tensorcost.gateway.paging import Paging, next_cursor
    from tensorcost.gateway.scoped import Caller, api
    from tensorcost.services.authorise import serves
    from tensorcost.services.widgets import WidgetService     # methods are @requires(Scope.X)

    class WidgetOut(BaseModel):                # the published shape; money is a decimal string
        id: UUID
        cost_usd: str = Field(examples=["12.340000000"])

    def router(widgets: WidgetService) -> APIRouter:          # runtime calls this, hands it over
        routes = api("/v1/widgets", "widgets")

        @routes.get("", response_model=Envelope[list[WidgetOut]])
        @serves(WidgetService.list)                            # below the route decorator
        async def list_widgets(caller: Caller, page: Paging) -> Bytes:
            '''First line becomes the summary in the published API.'''
            rows = await widgets.list(caller, limit=page.limit, after=page.after)
            return ok(
                [{"id": row.id, "cost_usd": format_nano(row.cost_nano)} for row in rows],
                next_cursor=next_cursor(rows, page, lambda row: (row.at.isoformat(), str(row.id))),
            )

        @routes.post("", status_code=201, response_model=Envelope[WidgetOut])
        @serves(WidgetService.create)
        async def create_widget(caller: Caller, body: NewWidget) -> Bytes:
            return created(await widgets.create(caller, body.name))

        return routes

The handler's name is the operation id (and the SDKs' method name). Raise DomainErrors only;
answers are plain dicts, dataclasses or pydantic models, encoded once to bytes by ``ok``. Static
paths go before ``/{id}``. Authentication, tenant, rate limits, Idempotency-Key, body size,
trace ids and error envelopes are the gateway's: a handler never sees them. ``page.after`` is
the key that ``next_cursor`` was given, from a stranger: ``paging.time_and_id(page)`` checks one
of (time, id). ``runtime`` adds ``router(service)`` to ``GatewayDeps.routers``.
"""
