"""Quiz items, and the two formats in which learning platforms take them.

The rules of Moodle XML are those of Moodle's documentation of its format, which has no schema.
Those of QTI 2.1 are, for the elements used here, the order and number of children, the attributes
and their values of its schema (imsqti_v2p1p2.xsd), and its rules for identifiers. The schema itself
is in no package on PyPI, and who passes it on must register; no schema is validated against here.
"""

import io
import json
import re
import zipfile
from collections import Counter
from xml.etree import ElementTree as Xml

import pytest

from tests.exercises.notebook import CHAPTERS, ROOT
from tools import quiz
from tools.exercises import wrong_answers

ITEMS = quiz.items()


def test_every_chapter_has_at_least_three_items():
    counts = Counter(int(item.number.split(".")[0]) for item in ITEMS)
    assert set(counts) == {int(chapter[:2]) for chapter in CHAPTERS}
    assert min(counts.values()) >= 3


@pytest.mark.parametrize("item", ITEMS, ids=lambda item: item.number)
def test_an_item_has_four_different_answers_three_of_them_believed_by_somebody(item):
    assert len({text.casefold() for text in item.choices}) == 4
    everything = wrong_answers_of(item.number)
    assert set(item.distractors) <= everything
    assert item.answer not in everything
    assert all(text[0].isupper() or not text[0].isalpha() for text in (item.question, item.because))
    assert max(map(len, item.choices)) < 140


def wrong_answers_of(number):
    from course_lib.study import find

    name = find(number).name
    wrong = wrong_answers(name.split(".")[0]).WRONG[name]
    return {quiz.misconception(one.answer) for one in wrong}


def test_the_right_answer_has_no_place_of_its_own():
    places = Counter(item.choices.index(item.answer) for item in ITEMS)
    assert set(places) == {0, 1, 2, 3} and max(places.values()) < len(ITEMS) / 2


MOODLE = ["name", "questiontext", "generalfeedback", "defaultgrade", "penalty", "hidden"]
MOODLE += ["idnumber", "single", "shuffleanswers", "answernumbering", *4 * ["answer"]]


def test_moodle_xml_follows_the_rules_of_the_format():
    root = Xml.fromstring(quiz.moodle(ITEMS))
    assert root.tag == "quiz" and {child.tag for child in root} == {"question"}
    questions = [q for q in root if q.get("type") == "multichoice"]
    categories = [q for q in root if q.get("type") == "category"]
    assert (len(questions), len(categories)) == (len(ITEMS), len(CHAPTERS))
    assert len(root) == len(questions) + len(categories)
    for category in categories:
        assert category.find("category/text").text.startswith("$course$/top/")
    for question, item in zip(questions, ITEMS, strict=True):
        assert [child.tag for child in question] == MOODLE
        assert question.find("name/text").text == f"{item.number} {item.title}"
        for part in ("questiontext", "generalfeedback"):
            assert question.find(part).get("format") == "html"
            html = question.find(f"{part}/text").text
            assert Xml.fromstring(html).tag == "p"  # the HTML inside is well formed, too
        fractions = [float(answer.get("fraction")) for answer in question.iter("answer")]
        assert sorted(fractions) == [0, 0, 0, 100]
        right = next(a for a in question.iter("answer") if a.get("fraction") == "100")
        assert Xml.fromstring(right.find("text").text).text == item.answer
        assert all([c.tag for c in a] == ["text", "feedback"] for a in question.iter("answer"))
        assert question.find("single").text == "true"
    numbers = [question.find("idnumber").text for question in questions]
    assert len(set(numbers)) == len(numbers)


# Of each element: its children in their order, with how often each may stand; needed attributes.
QTI = {
    "assessmentItem": (
        [("responseDeclaration", 0, 99), ("outcomeDeclaration", 0, 99),
         ("templateDeclaration", 0, 99), ("templateProcessing", 0, 1), ("stylesheet", 0, 99),
         ("itemBody", 0, 1), ("responseProcessing", 0, 1), ("modalFeedback", 0, 99)],
        {"identifier", "title", "adaptive", "timeDependent"},
    ),
    "responseDeclaration": (
        [("defaultValue", 0, 1), ("correctResponse", 0, 1), ("mapping", 0, 1),
         ("areaMapping", 0, 1)],
        {"identifier", "cardinality", "baseType"},
    ),
    "correctResponse": ([("value", 1, 99)], set()),
    "value": ([], set()),
    "outcomeDeclaration": ([("defaultValue", 0, 1)], {"identifier", "cardinality", "baseType"}),
    "itemBody": ([("choiceInteraction", 1, 1)], set()),
    "choiceInteraction": (
        [("prompt", 0, 1), ("simpleChoice", 1, 99)],
        {"responseIdentifier", "shuffle", "maxChoices"},
    ),
    "prompt": ([], set()),
    "simpleChoice": ([], {"identifier"}),
    "responseProcessing": ([], {"template"}),
    "assessmentTest": (
        [("outcomeDeclaration", 0, 99), ("timeLimits", 0, 1), ("stylesheet", 0, 99),
         ("testPart", 1, 99), ("outcomeProcessing", 0, 1), ("testFeedback", 0, 99)],
        {"identifier", "title"},
    ),
    "testPart": (
        [("assessmentSection", 1, 99)], {"identifier", "navigationMode", "submissionMode"},
    ),
    "assessmentSection": ([("assessmentItemRef", 0, 99)], {"identifier", "title", "visible"}),
    "assessmentItemRef": ([], {"identifier", "href"}),
    "manifest": (
        [("metadata", 0, 1), ("organizations", 1, 1), ("resources", 1, 1)], {"identifier"},
    ),
    "metadata": ([("schema", 1, 1), ("schemaversion", 1, 1)], set()),
    "schema": ([], set()),
    "schemaversion": ([], set()),
    "organizations": ([], set()),
    "resources": ([("resource", 0, 999)], set()),
    "resource": (
        [("metadata", 0, 1), ("file", 0, 99), ("dependency", 0, 999)], {"identifier", "type"},
    ),
    "file": ([], {"href"}),
    "dependency": ([], {"identifierref"}),
}  # fmt: skip


BOOLEAN, NAME, TEXT = "true|false", r"[A-Za-z_][\w.-]*", r"\S(.*\S)?"  # NAME is an NCName
VALUES = {
    "identifier": NAME, "responseIdentifier": NAME, "identifierref": NAME, "title": TEXT,
    "href": r"[\w./-]+\.xml", "adaptive": BOOLEAN, "timeDependent": BOOLEAN, "shuffle": BOOLEAN,
    "visible": BOOLEAN, "maxChoices": r"\d+", "cardinality": "single|multiple|ordered|record",
    "baseType": "boolean|directedPair|duration|file|float|identifier|integer|pair|point|string|uri",
    "navigationMode": "linear|nonlinear", "submissionMode": "individual|simultaneous",
    "template": r"http://www\.imsglobal\.org/question/qti_v2p1/rptemplates/\w+",
    "type": "imsqti_(item|test)_xmlv2p1",
}  # fmt: skip


def faults(element):
    """Where an element of a package breaks the rules above."""
    name = element.tag.rpartition("}")[2]
    allowed, needed = QTI[name]
    children = [child.tag.rpartition("}")[2] for child in element]
    order = [child for child, _, _ in allowed]
    found = [f"{name}: <{child}> is not allowed" for child in set(children) - set(order)]
    if not found and children != sorted(children, key=order.index):
        found.append(f"{name}: {children} are not in order")
    found += [f"{name}: {n} of <{c}>" for c, low, high in allowed
              if not low <= (n := children.count(c)) <= high]  # fmt: skip
    found += [f"{name} lacks {attribute}" for attribute in needed - set(element.keys())]
    known = needed | ({"href"} if name == "resource" else set())
    found += [f"{name} may have no {attribute}" for attribute in set(element.keys()) - known]
    found += [f"{name}: {attribute} is {value!r}" for attribute, value in element.items()
              if attribute in known and not re.fullmatch(VALUES[attribute], value)]  # fmt: skip
    known = [child for child in element if child.tag.rpartition("}")[2] in QTI]
    return found + [fault for child in known for fault in faults(child)]


@pytest.fixture(scope="module")
def package():
    return zipfile.ZipFile(io.BytesIO(quiz.qti(ITEMS)))


def test_every_file_of_the_qti_package_follows_the_rules_of_the_format(package):
    for name in package.namelist():
        root = Xml.fromstring(package.read(name))
        assert faults(root) == [], name
        space = quiz.PACKAGE if name == "imsmanifest.xml" else quiz.QTI
        assert root.tag.startswith("{" + space + "}")


def test_the_rules_notice_what_is_out_of_order_missing_or_too_much():
    def told(text):
        return set(faults(Xml.fromstring(text)))

    assert told("<prompt id='a'/>") == {"prompt may have no id"}
    assert told("<simpleChoice identifier='1 a'/>") == {"simpleChoice: identifier is '1 a'"}
    choice = "<choiceInteraction responseIdentifier='R' shuffle='true' maxChoices='1'>{}"
    choice += "</choiceInteraction>"
    assert told(choice.format("<simpleChoice identifier='A'/>")) == set()
    assert told(choice.format("<prompt/>")) == {"choiceInteraction: 0 of <simpleChoice>"}
    assert told(choice.format("<simpleChoice/>")) == {"simpleChoice lacks identifier"}
    turned = told(choice.format("<simpleChoice identifier='A'/><prompt/>"))
    assert len(turned) == 1 and "not in order" in turned.pop()
    assert told("<correctResponse><p/></correctResponse>") == {
        "correctResponse: <p> is not allowed", "correctResponse: 0 of <value>",
    }  # fmt: skip


def test_no_identifier_of_the_test_stands_twice_and_each_question_has_four_choices(package):
    test = Xml.fromstring(package.read("assessment.xml"))
    named = [element.get("identifier") for element in test.iter() if element.get("identifier")]
    assert len(set(named)) == len(named) == 2 + len(CHAPTERS) + len(ITEMS)
    space = {"q": quiz.QTI}
    for item in ITEMS:
        root = Xml.fromstring(package.read(f"items/{item.name}.xml"))
        assert root.get("identifier") == item.name
        (declared,) = root.findall("q:responseDeclaration", space)
        (asked,) = root.findall(".//q:choiceInteraction", space)
        assert asked.get("responseIdentifier") == declared.get("identifier")
        choices = {c.get("identifier") for c in asked.findall("q:simpleChoice", space)}
        assert len(choices) == 4


def test_manifest_test_and_items_of_the_package_name_each_other(package):
    names = set(package.namelist())
    manifest = Xml.fromstring(package.read("imsmanifest.xml"))
    space = {"cp": quiz.PACKAGE, "q": quiz.QTI}
    resources = manifest.findall(".//cp:resource", space)
    assert {r.get("href") for r in resources} == names - {"imsmanifest.xml"}
    identifiers = {r.get("identifier") for r in resources}
    assert len(identifiers) == len(resources)
    assert {
        d.get("identifierref") for d in manifest.iter(f"{{{quiz.PACKAGE}}}dependency")
    } < identifiers
    test = Xml.fromstring(package.read("assessment.xml"))
    references = test.findall(".//q:assessmentItemRef", space)
    assert [r.get("href") for r in references] == [f"items/{item.name}.xml" for item in ITEMS]


def test_the_key_of_every_qti_item_is_its_right_answer(package):
    space = {"q": quiz.QTI}
    for item in ITEMS:
        root = Xml.fromstring(package.read(f"items/{item.name}.xml"))
        key = root.find("q:responseDeclaration/q:correctResponse/q:value", space).text
        choices = root.findall(".//q:simpleChoice", space)
        assert {c.get("identifier"): c.text for c in choices}[key] == item.answer
        assert root.find(".//q:prompt", space).text == item.question


def test_the_same_items_give_the_same_bytes():
    assert quiz.qti(ITEMS) == quiz.qti(quiz.items())
    assert quiz.moodle(ITEMS) == quiz.moodle(quiz.items())


def test_items_of_ones_own_go_through_the_same_door(tmp_path, capsys):
    own = {"number": "1.1", "title": "T", "chapter": "A & B", "question": "1 < 2?", "answer": "yes"}
    own |= {"distractors": ["no", "perhaps", "<b>"], "because": "so"}
    (tmp_path / "own.json").write_text(json.dumps([own]))
    assert quiz.main([str(tmp_path / "out"), "--items", str(tmp_path / "own.json")]) == 0
    text = (tmp_path / "out" / "quiz_moodle.xml").read_text()
    assert "A &amp; B" in text and "1 items" in capsys.readouterr().out
    (tmp_path / "own.json").write_text('[{"number": "1.1"}]')
    assert quiz.main([str(tmp_path / "out"), "--items", str(tmp_path / "own.json")]) == 1
    assert "is no list of items with number, title" in capsys.readouterr().err


def test_a_distractor_that_names_no_wrong_answer_stops_with_its_exercise():
    path = ROOT / "solutions" / "02_toy_models.ipynb"
    text = path.read_text(encoding="utf-8").replace("magnitudes_are_one", "no_such_answer")
    with pytest.raises(quiz.QuizError, match=r"2\.1: 'no_such_answer' names no wrong answer"):
        quiz._items_of(json.loads(text), path.stem)
