"""Pages that are made from the code are as `make docs` writes them."""

from tools import metrics_reference


def test_the_table_of_metrics_is_that_of_the_code() -> None:
    page = metrics_reference.PAGE.read_text("utf-8")
    assert metrics_reference.written(page) == page
