"""Sphinx configuration of the documentation: `make docs`."""

import os
import sys
from pathlib import Path

import django

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "docs" / "extensions")]
os.environ["DJANGO_SETTINGS_MODULE"] = "common.tests.settings"
django.setup()

project = "django-kafka-eventbus"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx_copybutton", "titles", "generated"]
html_theme = "furo"
html_title = project
html_show_copyright = False
exclude_patterns = ["_build", "extensions"]
myst_heading_anchors = 3
autodoc_typehints = "description"
autodoc_member_order = "bysource"
copybutton_exclude = ".gp, .go"  # prompts and output of a console
