"""Pages that are made from the code are as `make docs` writes them."""

import re

from quipu_server.config import Settings
from tools import metrics_reference, settings_reference


def test_the_table_of_metrics_is_that_of_the_code() -> None:
    page = metrics_reference.PAGE.read_text("utf-8")
    assert metrics_reference.written(page) == page


def test_the_reference_of_settings_is_that_of_the_code() -> None:
    page = settings_reference.PAGE.read_text("utf-8")
    assert settings_reference.page() == page
    listed = set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)) | set(re.findall(r"^### `(\w+)\.NAME`", page, re.M))
    assert listed >= set(Settings.model_fields)
