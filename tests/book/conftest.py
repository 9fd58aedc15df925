"""The built book, which the tests in this folder look at."""

from pathlib import Path

import build_book
import pytest


@pytest.fixture(scope="session")
def site(request):
    """Folder of the built pages. In `make test` the notebooks have been run by nbmake before."""
    try:
        if request.config.getoption("nbmake"):
            build_book.store(sorted(build_book.COPIES.glob("*.ipynb")))
        build_book.main([])
    except build_book.BookError as error:
        pytest.fail(str(error), pytrace=False)
    return Path(build_book.INDEX).parent
