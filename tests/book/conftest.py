"""The built book, which the tests in this folder look at, and a browser to look with."""

import os
import sys
from pathlib import Path

import build_book
import pytest
from browser import find_or_install, launched
from serving import Quiet, serving


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


@pytest.fixture(scope="session")
def browser():
    """A headless Chrome or Chromium; without one the tests that need it are skipped, in CI fail."""
    from playwright.sync_api import sync_playwright

    path, done = find_or_install()
    print(done, file=sys.__stderr__)
    if path is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(done)
    with sync_playwright() as playwright:
        chrome = launched(playwright, path)
        yield chrome
        chrome.close()


@pytest.fixture(scope="session")
def address(site):
    """Where the site is served, over http on this machine alone."""
    with serving(Quiet, directory=site) as where:
        yield where
