"""Editors work in Wagtail's own pages; after each, events and tables are compared."""

from books import Watch, post
from django.contrib.auth import get_user_model
from django.test import Client
from wagtail.models import Page

EMPTY = '{"entityMap": {}, "blocks": []}'
PUBLISH = {"action-publish": "1"}
watch = Watch()
editor = Client(headers={"host": "localhost"})
editor.force_login(get_user_model().objects.create_superuser("ann", "ann@example.com"))
home = Page.objects.get(depth=2)


def story(title: str, **further: object) -> dict[str, object]:
    """The form of a story."""
    comments = {"comments-TOTAL_FORMS": 0, "comments-INITIAL_FORMS": 0}
    return {"title": title, "slug": title.lower(), "body": EMPTY, **comments, **further}


def page(slug: str) -> Page:
    return Page.objects.get(slug=slug)


post(editor, f"/admin/pages/add/stories/story/{home.pk}/", story("Spring"))
watch.page("draft")
spring = page("spring")
post(editor, f"/admin/pages/{spring.pk}/edit/", story("Springtime", **PUBLISH))
watch.page("published")
post(editor, f"/admin/pages/add/stories/story/{home.pk}/", story("Archive", **PUBLISH))
watch.page("second story")
archive = page("archive")
post(editor, f"/admin/pages/add/stories/story/{spring.pk}/", story("Tulips", **PUBLISH))
watch.page("story below the first")
post(editor, f"/admin/pages/{spring.pk}/move/{archive.pk}/confirm/", {})
watch.page("moved with what is below")
post(editor, f"/admin/pages/{archive.pk}/unpublish/", {"include_descendants": "on"})
watch.page("unpublished with what is below")
post(editor, f"/admin/pages/{archive.pk}/delete/", {"confirm_site_name": "Stories"})
watch.page("deleted with what is below")
