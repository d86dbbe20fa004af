"""Whatever is called with whatever, it returns or says in a sentence of ours what is wrong."""

import json
import os
from pathlib import Path

import pytest

from tests.fuzz.census import subjects
from tests.fuzz.hostile import HUGE, hostile
from tests.fuzz.judge import complaint, little_memory
from tests.fuzz.valid import arguments

KNOWN = json.loads(Path(__file__).with_name("known.json").read_text(encoding="utf-8"))
SKIPPED = {}
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "3"))
SUBJECTS = [name for name in subjects() if name not in SKIPPED]


@pytest.fixture(autouse=True)
def a_place_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with little_memory():
        yield


def said(subject, name, words, value):
    given = arguments(subject) | {name: value}
    huge = HUGE in words
    return complaint(lambda: subject.run(given), subject.documentation, patient=not huge)


@pytest.mark.parametrize("name", SUBJECTS)
def test_each_parameter_takes_or_refuses_whatever_it_is_given(name):
    subject = subjects()[name]
    subject.run(arguments(subject))  # a right call succeeds, and imports what it needs
    unclear = {
        parameter: {words: told for words, value in hostile(subject, parameter).items()
                    if (told := said(subject, parameter, words, value))}
        for parameter in subject.kinds if parameter != "self"
    }  # fmt: skip
    unclear = {parameter: found for parameter, found in unclear.items() if found}
    assert sorted(unclear) == KNOWN.get(name, []), unclear
