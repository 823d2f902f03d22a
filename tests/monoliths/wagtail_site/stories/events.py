from eventbus.capture import publish_model

publish_model(
    "wagtailcore.Page",
    event="page",
    topic="site.pages",
    capture="trigger",
    fields=["path", "title", "slug", "url_path", "content_type", "live", "owner"],
)
publish_model(
    "stories.Story", event="story", topic="site.pages", capture="trigger", fields=["body"]
)
