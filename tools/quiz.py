"""Quiz items for a learning platform, from the solved notebooks: `python -m tools.quiz FOLDER`.

Writes `quiz_moodle.xml` (Moodle XML) and `quiz_qti.zip` (QTI 2.1, a content package). A question,
its right answer and the reason stand in the metadata of the exercise's cell; the distractors are
the misconceptions behind named wrong answers of that exercise, word for word. Both files hold the
key, so they belong to no public place.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import random
import re
import sys
import zipfile
from dataclasses import dataclass
from html import escape
from pathlib import Path
from xml.etree import ElementTree as Xml

from course_lib.runtime import write_file
from tools.catalogue import entries_of
from tools.exercises import ROOT, wrong_answers

QTI = "http://www.imsglobal.org/xsd/imsqti_v2p1"
PACKAGE = "http://www.imsglobal.org/xsd/imscp_v1p1"
CORRECT = "http://www.imsglobal.org/question/qti_v2p1/rptemplates/match_correct"
DECLARATION = b'<?xml version="1.0" encoding="UTF-8"?>\n'
LETTERS = "ABCD"


class QuizError(Exception):
    """An item breaks a rule; the message says which and what."""


@dataclass(frozen=True)
class Item:
    """A question with one right answer; `distractors` are the misconceptions, in plain text."""

    number: str
    title: str
    chapter: str
    question: str
    answer: str
    distractors: tuple[str, ...]
    because: str

    @property
    def choices(self) -> list[str]:
        """All answers in an order that says nothing and is always the same."""
        mixed = [self.answer, *self.distractors]
        random.Random(self.number).shuffle(mixed)
        return mixed

    @property
    def name(self) -> str:
        return f"item-{self.number.replace('.', '-')}"


def items(root: Path = ROOT) -> list[Item]:
    """All items in the order of the book. Raises QuizError when one breaks a rule."""
    return [
        item
        for path in sorted((root / "solutions").glob("*.ipynb"))
        for item in _items_of(json.loads(path.read_text(encoding="utf-8")), path.stem)
    ]


def _items_of(notebook: dict, chapter: str) -> list[Item]:
    made = []
    asked = {
        found[1]: cell["metadata"].get("course", {}).get("quiz")
        for cell in notebook["cells"]
        if (found := re.match(r"## Exercise (\d+):", "".join(cell["source"])))
    }
    for entry in entries_of(notebook, chapter):
        quiz = asked[entry["number"].split(".")[1]]
        if quiz is None:
            continue
        wrong = wrong_answers(entry["name"].split(".")[0]).WRONG[entry["name"]]
        misconceptions = {one.name: misconception(one.answer) for one in wrong}
        if unknown := set(quiz["distractors"]) - set(misconceptions):
            raise QuizError(f"{entry['number']}: {min(unknown)!r} names no wrong answer.")
        texts = tuple(misconceptions[name] for name in quiz["distractors"])
        if len({quiz["answer"], *texts}) != 4:
            raise QuizError(f"{entry['number']}: one answer and three other distractors are needed")
        made.append(
            Item(
                entry["number"], entry["title"], entry["chapter_title"],
                quiz["question"], quiz["answer"], texts, quiz["because"],
            )
        )  # fmt: skip
    return made


def misconception(answer: object) -> str:
    """The first sentence of a wrong answer's docstring, as plain text."""
    return (answer.__doc__ or "").strip().split("\n")[0].replace("`", "")


def moodle(found: list[Item]) -> bytes:
    """The items as Moodle XML, one category for each chapter."""
    quiz, chapter = Xml.Element("quiz"), None
    for item in found:
        if item.chapter != chapter:
            chapter = item.chapter
            category = Xml.SubElement(quiz, "question", type="category")
            path = f"$course$/top/Features in Superposition/{chapter.replace('/', '//')}"
            _text(Xml.SubElement(category, "category"), path)
        question = Xml.SubElement(quiz, "question", type="multichoice")
        _text(Xml.SubElement(question, "name"), f"{item.number} {item.title}")
        _text(Xml.SubElement(question, "questiontext", format="html"), _paragraph(item.question))
        _text(Xml.SubElement(question, "generalfeedback", format="html"), _paragraph(item.because))
        for name, value in (
            ("defaultgrade", "1"), ("penalty", "0.3333333"), ("hidden", "0"),
            ("idnumber", item.name), ("single", "true"), ("shuffleanswers", "true"),
            ("answernumbering", "ABCD"),
        ):  # fmt: skip
            Xml.SubElement(question, name).text = value
        for choice in item.choices:
            fraction = "100" if choice == item.answer else "0"
            answer = Xml.SubElement(question, "answer", fraction=fraction, format="html")
            _text(answer, _paragraph(choice))
            feedback = "" if choice == item.answer else f"See exercise {item.number}."
            _text(Xml.SubElement(answer, "feedback", format="html"), _paragraph(feedback))
    return _serialised(quiz)


def qti(found: list[Item]) -> bytes:
    """The items as a QTI 2.1 content package: a manifest, a test, a file for each item."""
    files = {f"items/{item.name}.xml": _qti_item(item) for item in found}
    files["assessment.xml"] = _qti_test(found)
    files["imsmanifest.xml"] = _manifest(found)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(name, (2000, 1, 1, 0, 0, 0)), content)
    return buffer.getvalue()


def _qti_item(item: Item) -> bytes:
    root = Xml.Element(
        "assessmentItem", xmlns=QTI, identifier=item.name, title=f"{item.number} {item.title}",
        adaptive="false", timeDependent="false",
    )  # fmt: skip
    letters = dict(zip(item.choices, LETTERS, strict=True))
    response = Xml.SubElement(
        root, "responseDeclaration",
        identifier="RESPONSE", cardinality="single", baseType="identifier",
    )  # fmt: skip
    correct = Xml.SubElement(response, "correctResponse")
    Xml.SubElement(correct, "value").text = letters[item.answer]
    Xml.SubElement(
        root, "outcomeDeclaration", identifier="SCORE", cardinality="single", baseType="float"
    )
    body = Xml.SubElement(root, "itemBody")
    interaction = Xml.SubElement(
        body, "choiceInteraction", responseIdentifier="RESPONSE", shuffle="true", maxChoices="1"
    )
    Xml.SubElement(interaction, "prompt").text = item.question
    for choice, letter in letters.items():
        Xml.SubElement(interaction, "simpleChoice", identifier=letter).text = choice
    Xml.SubElement(root, "responseProcessing", template=CORRECT)
    return _serialised(root)


def _qti_test(found: list[Item]) -> bytes:
    test = Xml.Element(
        "assessmentTest", xmlns=QTI, identifier="features-in-superposition",
        title="Features in Superposition",
    )  # fmt: skip
    part = Xml.SubElement(
        test, "testPart",
        identifier="part", navigationMode="nonlinear", submissionMode="individual",
    )  # fmt: skip
    for k, chapter in enumerate(dict.fromkeys(item.chapter for item in found), start=1):
        section = Xml.SubElement(
            part, "assessmentSection", identifier=f"section-{k}", title=chapter, visible="true"
        )
        for item in found:
            if item.chapter == chapter:
                href = f"items/{item.name}.xml"
                Xml.SubElement(section, "assessmentItemRef", identifier=item.name, href=href)
    return _serialised(test)


def _manifest(found: list[Item]) -> bytes:
    manifest = Xml.Element("manifest", xmlns=PACKAGE, identifier="features-in-superposition-quiz")
    metadata = Xml.SubElement(manifest, "metadata")
    Xml.SubElement(metadata, "schema").text = "QTIv2.1 Package"
    Xml.SubElement(metadata, "schemaversion").text = "1.0.0"
    Xml.SubElement(manifest, "organizations")
    resources = Xml.SubElement(manifest, "resources")
    listed = [("assessment", "imsqti_test_xmlv2p1", "assessment.xml")]
    listed += [(item.name, "imsqti_item_xmlv2p1", f"items/{item.name}.xml") for item in found]
    for identifier, kind, href in listed:
        resource = Xml.SubElement(
            resources, "resource", identifier=f"res-{identifier}", type=kind, href=href
        )
        Xml.SubElement(resource, "file", href=href)
        if kind.startswith("imsqti_test"):
            for item in found:
                Xml.SubElement(resource, "dependency", identifierref=f"res-{item.name}")
    return _serialised(manifest)


def _text(parent: Xml.Element, text: str) -> None:
    Xml.SubElement(parent, "text").text = text


def _paragraph(text: str) -> str:
    return f"<p>{escape(text, quote=False)}</p>" if text else ""


def _serialised(root: Xml.Element) -> bytes:
    Xml.indent(root)
    return DECLARATION + Xml.tostring(root, encoding="utf-8") + b"\n"


def key_phrases(found: list[Item]) -> list[str]:
    """What must stand in no public file: the reasons, which only the quiz's key gives."""
    return [item.because for item in found]


def own_items(path: Path) -> list[Item]:
    """Items of a lecturer's own JSON list. Raises QuizError when an entry is none."""
    try:
        return [
            Item(**entry | {"distractors": tuple(entry["distractors"])})
            for entry in json.loads(path.read_text(encoding="utf-8"))
        ]
    except (ValueError, TypeError, KeyError) as error:
        fields = ", ".join(Item.__dataclass_fields__)
        raise QuizError(f"{path} is no list of items with {fields}: {error}") from error


def write(folder: Path, found: list[Item]) -> list[Path]:
    """Write both files, and say how many items they hold and their hash."""
    written = [
        write_file(folder / "quiz_moodle.xml", moodle(found)),
        write_file(folder / "quiz_qti.zip", qti(found)),
    ]
    for path in written:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
        print(f"{path}: {len(found)} items, sha256 {digest}")
    return written


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.quiz", description=__doc__)
    parser.add_argument("folder", type=Path, help="where the files go; they hold the key")
    parser.add_argument("--items", type=Path, help="a JSON list of your own items instead")
    options = parser.parse_args(arguments)
    try:
        write(options.folder, own_items(options.items) if options.items else items())
    except (QuizError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
