import json
import re
import subprocess
import sys

import pytest

from course_lib.widgets import Explorable, Slider, explorable


def picture(**changes: object) -> Explorable:
    arguments: dict = {
        "script": "toy_model.js",
        "title": "A title",
        "sliders": [Slider("Size", ["small", "large"], 1)],
        "data": {"numbers": [0.125, -2, None]},
        "caption": "A caption.",
        "start_text": "Two numbers.",
        "start_table": [["name", "value"], ["a", "0.125"]],
    }
    return explorable(**(arguments | changes))


def numbers_in(html: str) -> dict:
    return json.loads(re.search(r'<script type="application/json">(.*?)</script>', html, re.S)[1])


def test_the_page_holds_the_numbers_and_sliders_exactly_as_given():
    assert numbers_in(picture().html) == {
        "sliders": [{"label": "Size", "shown": ["small", "large"], "start": 1}],
        "data": {"numbers": [0.125, -2, None]},
    }


def test_equal_arguments_give_equal_pages_and_other_numbers_another_key():
    key = re.compile(r'data-explorable="(\w+)"')
    assert picture().html == picture().html
    other = picture(data={"numbers": [1]}).html
    assert key.search(other)[1] != key.search(picture().html)[1]


def test_text_from_outside_cannot_become_markup():
    hostile = '</script><b title="x">&amp;'
    html = picture(
        title=hostile,
        caption=hostile,
        start_text=hostile,
        start_table=[[hostile], [hostile]],
        sliders=[Slider(hostile, [hostile, "b"])],
        data={"words": hostile},
    ).html
    assert hostile not in html
    assert html.count("</script>") == 2
    assert "<b" not in html.replace("<body", "")
    assert numbers_in(html)["data"]["words"] == hostile


def test_no_address_stands_in_the_page_but_the_name_of_svg():
    html = picture().html
    assert set(re.findall(r"\w+://[^\s\"'`)]+", html)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"@import|url\(|\bsrc=|\bhref=|fetch\(|XMLHttpRequest", html)


def test_the_page_says_its_start_in_a_sentence_and_a_table_without_any_script():
    stage = re.search(r'<div class="stage">(.*?)</div>', picture().html, re.S)[1]
    assert "<p>Two numbers.</p>" in stage
    assert '<th scope="row">a</th><td>0.125</td>' in stage


def test_a_notebook_gets_html_and_words():
    shown = picture()._repr_mimebundle_()
    assert shown == {"text/html": picture()._repr_html_(), "text/plain": str(picture())}
    assert str(picture()) == "A title\nTwo numbers."


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_numbers_that_json_cannot_hold_are_refused(bad: float):
    with pytest.raises(ValueError, match="data holds NaN or infinity"):
        picture(data={"x": [bad]})


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        (
            {"script": "no such"},
            ValueError,
            r"script is 'no such'; it must be one of 'board\.js', ",
        ),
        ({"script": "../sae/codes.py"}, ValueError, "script is"),
        (
            {"style": "none.css"},
            ValueError,
            r"style is 'none\.css'; it must be one of 'board\.css'",
        ),
        ({"title": None}, TypeError, "title is of type NoneType"),
        ({"sliders": ["Size"]}, TypeError, r"sliders\[0\] is of type str; it must be a Slider"),
        ({"data": [1]}, TypeError, "data is of type list; it must be a dict"),
        ({"data": {"a": object()}}, TypeError, "data holds what JSON cannot"),
        ({"start_table": []}, ValueError, "start_table has 0 entries"),
        ({"start_table": [["a"], []]}, ValueError, r"start_table\[1\] has 0 entries"),
        ({"start_table": [["a", 1]]}, TypeError, r"start_table\[0\]\[1\] is of type int"),
        ({"caption": "\ud800"}, ValueError, "a text of the picture cannot be stored"),
    ],
)
def test_what_is_no_part_of_a_picture_is_refused_by_name(change, kind, message):
    with pytest.raises(kind, match=message):
        picture(**change)


@pytest.mark.parametrize(
    ("shown", "start", "message"),
    [
        (["only"], 0, r"slider 'Size': shown has 1 value"),
        (["a", "b"], 2, r"slider 'Size': start = 2 .* from 0 to 1"),
        (["a", "b"], -1, r"slider 'Size': start = -1 .* from 0 to 1"),
    ],
)
def test_a_slider_without_positions_or_with_a_start_beyond_them_is_refused(shown, start, message):
    with pytest.raises(ValueError, match=message):
        Slider("Size", shown, start)


def test_importing_the_room_imports_no_notebook_and_no_plotting():
    heavy = "{'IPython', 'ipywidgets', 'matplotlib'}"
    code = f"import sys, course_lib.widgets; print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
