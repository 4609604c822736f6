"""Lists that come in pages."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from drydock._on_asyncio import Fetch

T = TypeVar("T")


class AsyncPaged(Generic[T]):
    """A list that fetches its pages as it is iterated."""

    def __init__(self, fetch: Fetch[T]) -> None:
        self._fetch = fetch

    async def __aiter__(self) -> AsyncIterator[T]:
        page_token = ""
        while True:
            items, page_token = await self._fetch(page_token)
            for item in items:
                yield item
            if not page_token:
                return

    async def to_list(self, *, limit: int = 1_000) -> list[T]:
        """The first items, at most `limit`."""
        items: list[T] = []
        page_token = ""
        while len(items) < limit:
            page, page_token = await self._fetch(page_token)
            items.extend(page)
            if not page_token:
                break
        return items[: max(0, limit)]
