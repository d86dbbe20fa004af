"""Links of the built site, and of small sites with planted faults."""

import pytest

from tools import pages

PAGE = '<html lang="en"><body><h1 id="top">Title</h1>{}</body></html>'


def test_every_internal_link_anchor_and_asset_of_the_site_exists(site):
    assert pages.dead_links(site) == []


@pytest.mark.parametrize(
    "link",
    [
        '<a href="gone.html">x</a>',
        '<a href="index.html#gone">x</a>',
        '<a href="#gone">x</a>',
        '<img alt="A line" src="gone.png">',
        '<script src="gone.js"></script>',
        '<link rel="stylesheet" href="gone.css">',
    ],
)
def test_a_planted_dead_link_is_found(link, tmp_path):
    (tmp_path / "index.html").write_text(PAGE.format(link))
    (fault,) = pages.dead_links(tmp_path)
    assert fault.startswith("index.html: ")
    assert "gone" in fault


def test_links_that_hold_and_links_to_other_hosts_are_no_faults(tmp_path):
    links = '<a href="#top">x</a><a href="folder/">y</a><a href="https://example.org/gone">z</a>'
    (tmp_path / "folder").mkdir()
    (tmp_path / "index.html").write_text(PAGE.format(links))
    (tmp_path / "folder" / "index.html").write_text(
        PAGE.format('<a href="../index.html#top">x</a>')
    )
    assert pages.dead_links(tmp_path) == []


def test_no_page_weighs_more_than_two_megabytes(site):
    assert pages.heavy(site) == []


def test_a_heavy_picture_counts_for_its_page_once(tmp_path):
    (tmp_path / "a.png").write_bytes(bytes(900))
    (tmp_path / "index.html").write_text('<html><img src="a.png"><img src="a.png"></html>')
    assert pages.heavy(tmp_path, limit=1000) == []
    (fault,) = pages.heavy(tmp_path, limit=900)
    assert "index.html: weighs" in fault


def test_a_picture_inside_the_page_counts_as_page(tmp_path):
    picture = f'<img alt="A line" src="data:image/svg+xml;base64,{"A" * 900}">'
    (tmp_path / "index.html").write_text(PAGE.format(picture))
    assert pages.faults(tmp_path) == []
    assert "index.html: weighs" in pages.heavy(tmp_path, limit=900)[0]


def test_numbers_that_are_loaded_later_count_and_must_exist(tmp_path):
    (tmp_path / "x.js").write_text("1," * 600)
    data = "<script type='application/json' data-src='{}'></script>"
    (tmp_path / "index.html").write_text(PAGE.format(data.format("x.js")))
    assert pages.heavy(tmp_path, data=1300) == [] == pages.dead_links(tmp_path)
    (fault,) = pages.heavy(tmp_path, data=1100)
    assert "holds data" in fault
    (tmp_path / "other.html").write_text(PAGE.format(data.format("y.js")))
    (fault,) = pages.dead_links(tmp_path)
    assert "y.js leads nowhere" in fault


def test_a_page_whose_moving_pictures_hold_too_much_is_found(tmp_path):
    data = "<script type='application/json'>[" + "1," * 600 + "1]</script>"
    (tmp_path / "index.html").write_text(PAGE.format(data))
    assert pages.heavy(tmp_path, data=1300) == []
    (fault,) = pages.heavy(tmp_path, data=1200)
    assert "holds data" in fault
