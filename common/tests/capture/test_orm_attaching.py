"""Attaching from outside: every manager is found, migrations see none of it, nothing is silent."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import models
from django.db.models.signals import post_delete, post_save

from common.tests.capture.saved import events
from common.tests.capture.saved.models import Aisle, CheapManager, Country, Label, Ware
from eventbus.capture import Publication, registry
from eventbus.capture.orm import publish_deleted, publish_saved
from eventbus.capture.orm.attaching import attach_all
from eventbus.capture.orm.checks import published_models_are_captured
from eventbus.capture.orm.querysets import PublishingQuerySet
from eventbus.capture.orm.saving import NotPublishedYet
from eventbus.outbox.models import OutboxEvent

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("saved_contracts")]


@pytest.fixture
def unconnected(monkeypatch) -> Publication:
    """Wares, as if they were declared with ``connect=False``."""
    publication = replace(events.Wares, connects=False)
    monkeypatch.setitem(registry._publications, Ware, publication)
    return publication


@pytest.fixture
def connected(unconnected) -> Iterator[Publication]:
    """The same, with receivers of the project's own."""

    def saved(instance: Ware, **_: Any) -> None:
        publish_saved(unconnected, instance)

    def deleted(instance: Ware, **_: Any) -> None:
        publish_deleted(unconnected, instance)

    for signal, receiver in ((post_save, saved), (post_delete, deleted)):
        signal.connect(receiver, weak=False, sender=Ware, dispatch_uid="connected")
    yield unconnected
    for signal in (post_save, post_delete):
        signal.disconnect(sender=Ware, dispatch_uid="connected")


def published() -> list[str]:
    return list(OutboxEvent.objects.order_by("position").values_list("type", flat=True))


def test_whatever_makes_a_queryset_makes_one_that_publishes():
    ware, label = Ware(pk=1), Label(pk=1)
    querysets = [
        *(manager.get_queryset() for manager in Ware._meta.managers),
        Ware._base_manager.all(),
        Aisle(pk=1).ware_set.all(),
        label.ware_set.all(),
        ware.remarks.all(),
        ware.labels.through.objects.all(),
        Ware.objects.filter(pk=1) | Ware.objects.filter(pk=2),
    ]
    assert all(isinstance(queryset, PublishingQuerySet) for queryset in querysets)
    assert not isinstance(ware.labels.all(), PublishingQuerySet)  # labels are not published


def test_the_managers_are_what_they_were():
    assert isinstance(Ware.cheap, CheapManager)
    assert [manager.name for manager in Ware._meta.managers] == ["objects", "own", "cheap"]
    assert Ware._default_manager.name == "objects"


def test_it_lasts_and_is_attached_once():
    apps.clear_cache()
    attach_all()
    assert isinstance(Ware.objects.all(), PublishingQuerySet)
    Ware.objects.create(sku="S1", name="N")
    assert published() == ["ware.created"]


@pytest.mark.django_db(databases=["default", "bus"])
def test_migrations_see_none_of_it():
    call_command("makemigrations", "saved", check=True, dry_run=True, verbosity=0)
    assert Country.objects.deconstruct()[1] == f"{Country.__module__}.CountryManager"


def test_a_project_in_order_passes_the_checks():
    assert published_models_are_captured() == []


def test_a_manager_that_cannot_be_captured_is_an_error(monkeypatch):
    def rows(self: Any) -> Any:
        return []

    monkeypatch.setattr(CheapManager, "get_queryset", rows)
    found = published_models_are_captured()
    assert {message.id for message in found} == {"eventbus_capture.E011"}
    assert "saved.Ware.cheap" in found[0].msg


def test_a_related_manager_that_was_made_before_is_an_error(monkeypatch):
    descriptor = vars(Aisle)["ware_set"]
    monkeypatch.setitem(vars(descriptor), "related_manager_cls", models.Manager)
    assert [message.id for message in published_models_are_captured()] == ["eventbus_capture.E012"]
    attach_all()
    assert published_models_are_captured() == []


def test_receivers_that_were_forgotten_are_an_error(unconnected):
    found = published_models_are_captured()
    assert {message.id for message in found} == {"eventbus_capture.E013"}
    assert len(found) == 4  # two signals, of the model and of its proxy


@pytest.mark.django_db(transaction=True)
def test_nothing_is_written_that_no_receiver_published(unconnected):
    with pytest.raises(NotPublishedYet, match="publish_saved"):
        Ware.objects.create(sku="S1", name="N")
    Ware.objects.bulk_create([Ware(sku="S2", name="N"), Ware(sku="S3", name="N")])
    with pytest.raises(NotPublishedYet, match="publish_deleted"):
        Ware.objects.filter(sku="S2").first().delete()
    assert published() == ["ware.created"] * 2
    assert Ware.objects.count() == 2


def test_receivers_publish_once(connected):
    ware = Ware.objects.create(sku="S1", name="N")
    post_save.send(sender=Ware, instance=ware, created=True, raw=False, using="default")
    ware.save()
    ware.delete()
    post_delete.send(sender=Ware, instance=ware, using="default")
    assert published() == ["ware.created", "ware.deleted"]


def test_what_waits_for_its_receiver_is_published_before_the_next_write(unconnected):
    def again(instance: Ware, **_: Any) -> None:
        Ware.objects.filter(pk=instance.pk, amount=0).update(amount=1)

    def saved(instance: Ware, **_: Any) -> None:
        publish_saved(unconnected, instance)

    for receiver in (again, saved):
        post_save.connect(receiver, sender=Ware)
    Ware.objects.create(sku="S1", name="N")
    for receiver in (again, saved):
        post_save.disconnect(receiver, sender=Ware)
    assert published() == ["ware.created", "ware.updated"]
