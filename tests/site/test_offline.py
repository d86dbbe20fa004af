"""No page loads anything from another host."""

import pytest

from tools import pages


def test_no_page_or_style_of_the_site_loads_from_another_host(site):
    assert pages.other_hosts(site) == []


@pytest.mark.parametrize(
    "element",
    [
        '<script src="https://cdn.example.org/x.js"></script>',
        '<script src="//cdn.example.org/x.js"></script>',
        '<link rel="stylesheet" href="https://example.org/x.css">',
        '<link rel="preload" href="https://example.org/x.woff2" as="font">',
        '<img alt="A line" src="https://example.org/x.png">',
        '<img alt="A line" src="x.png" srcset="https://example.org/x.png 2x">',
        '<iframe title="x" src="https://example.org"></iframe>',
        "<style>@import 'https://example.org/x.css';</style>",
        "<style>p { background: url(https://example.org/x.png) }</style>",
        '<p style="background: url(//example.org/x.png)">x</p>',
    ],
)
def test_a_planted_resource_of_another_host_is_found(element, tmp_path):
    (tmp_path / "index.html").write_text(f"<html><body>{element}</body></html>")
    (fault,) = pages.other_hosts(tmp_path)
    assert "example.org" in fault


def test_a_planted_style_sheet_that_loads_from_another_host_is_found(tmp_path):
    (tmp_path / "x.css").write_text("@font-face { src: url('https://example.org/x.woff2') }")
    assert pages.other_hosts(tmp_path) == ["x.css: loads https://example.org/x.woff2"]


def test_a_link_that_waits_for_the_reader_is_no_fault(tmp_path):
    (tmp_path / "index.html").write_text('<html><a href="https://example.org">x</a></html>')
    assert pages.other_hosts(tmp_path) == []
