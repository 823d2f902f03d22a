"""Finds the subscriptions that match an event, without checking each of them."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Protocol

from msgspec import UNSET

from common.contracts.product import Product, ProductUpdated
from notification_service.notifications.facts import Fact, facts_of
from notification_service.notifications.models.subscriptions import (
    LEAST_LETTERS,
    Condition,
    Products,
    Subscription,
    folded,
)


class Happening(Protocol):
    """The attributes of an event that matching needs."""

    @property
    def type(self) -> str: ...
    @property
    def data(self) -> Product: ...


@dataclass(frozen=True)
class Match:
    """A subscription that matches an event, and the facts to report."""

    subscription: Subscription
    facts: list[Fact]


class Index:
    """Subscriptions, indexed by condition and products.

    The cost of an event depends on the number of matching subscriptions, hardly on the others.
    """

    def __init__(self, subscriptions: Iterable[Subscription]) -> None:
        self._selections: dict[str, _Selection] = defaultdict(_Selection)
        for subscription in subscriptions:
            self._selections[subscription.condition].add(subscription)
        for selection in self._selections.values():
            selection.sort()

    def matches(self, event: Happening) -> Iterator[Match]:
        """Yield each subscription that matches the event, once."""
        facts = facts_of(event.data)
        if not facts:
            return
        reported = [f for f in facts if f != Fact.NEW_IN_CATEGORY or Fact.CREATED not in facts]
        for condition in (Condition.ANYTHING, *facts):
            selection = self._selections.get(condition)
            if selection is None:
                continue
            to_report = reported if condition == Condition.ANYTHING else [Fact(condition)]
            for subscription in selection.of(event.data):
                if not subscription.event_types or event.type in subscription.event_types:
                    yield Match(subscription, to_report)


class _Thresholds:
    """Subscriptions to the same products, sorted by the price drop that they wait for."""

    def __init__(self) -> None:
        self._any: list[Subscription] = []
        self._percents: list[tuple[Decimal, int, Subscription]] = []
        self._belows: list[tuple[Decimal, int, Subscription]] = []

    def add(self, subscription: Subscription) -> None:
        percent, below = subscription.percent, subscription.below
        if percent is None and below is None:
            self._any.append(subscription)
        if percent is not None:
            self._percents.append((percent, subscription.pk, subscription))
        if below is not None:
            self._belows.append((below, subscription.pk, subscription))

    def sort(self) -> None:
        self._percents.sort(key=lambda entry: entry[:2])
        self._belows.sort(key=lambda entry: entry[:2])

    def reached_by(self, product: Product) -> Iterator[Subscription]:
        yield from self._any
        if not self._percents and not self._belows:
            return
        percent = _percent(product)
        end = bisect_right(self._percents, percent, key=lambda entry: entry[0])
        yield from (subscription for *_, subscription in self._percents[:end])
        start = bisect_right(self._belows, product.price, key=lambda entry: entry[0])
        for *_, subscription in self._belows[start:]:
            if subscription.percent is None or subscription.percent > percent:
                yield subscription


@dataclass
class _Selection:
    """Subscriptions with the same condition, by the products that they select."""

    all: _Thresholds = field(default_factory=_Thresholds)
    by_category: dict[str, _Thresholds] = field(default_factory=lambda: defaultdict(_Thresholds))
    by_product: dict[str, _Thresholds] = field(default_factory=lambda: defaultdict(_Thresholds))
    by_text: dict[str, _Thresholds] = field(default_factory=lambda: defaultdict(_Thresholds))
    texts: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Texts by their first three letters, to find those that a name contains by its trigrams."""

    def add(self, subscription: Subscription) -> None:
        match subscription.products:
            case Products.ALL:
                self.all.add(subscription)
            case Products.CATEGORY:
                self.by_category[subscription.category].add(subscription)
            case Products.LIST:
                for product_id in set(subscription.product_ids):
                    self.by_product[product_id].add(subscription)
            case Products.TEXT:
                text = folded(subscription.text)
                self.by_text[text].add(subscription)
                self.texts[text[:LEAST_LETTERS]].add(text)

    def sort(self) -> None:
        groups = (self.by_category, self.by_product, self.by_text)
        for thresholds in (self.all, *(t for group in groups for t in group.values())):
            thresholds.sort()

    def of(self, product: Product) -> Iterator[Subscription]:
        yield from self.all.reached_by(product)
        if product.category in self.by_category:
            yield from self.by_category[product.category].reached_by(product)
        if product.subject in self.by_product:
            yield from self.by_product[product.subject].reached_by(product)
        for text in self._texts_in(product.name) if self.texts else ():
            yield from self.by_text[text].reached_by(product)

    def _texts_in(self, name: str) -> set[str]:
        name = folded(name)
        threes = {name[start : start + LEAST_LETTERS] for start in range(len(name) - 2)}
        return {t for three in threes for t in self.texts.get(three, ()) if t in name}


def _percent(product: Product) -> Decimal:
    """By how many percent a price dropped; 0 if it did not change."""
    before = product.previous.price if isinstance(product, ProductUpdated) else UNSET
    if not isinstance(before, Decimal) or before <= 0:
        return Decimal(0)
    return (before - product.price) * 100 / before
