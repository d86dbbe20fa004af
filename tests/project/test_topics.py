"""The topic finder lists what the book and the library really say about a term."""

from pathlib import Path

import pytest

from tests.project.tree import ROOT
from tools import tables, topics

CHAPTERS = [(one.notebook, list(one.sections)) for one in tables.chapters(ROOT)]


@pytest.fixture(scope="module")
def found():
    return {topic.term: topic for topic in topics.topics(ROOT, CHAPTERS)}


def test_a_term_leads_to_the_chapter_that_is_about_it(found):
    chapter = Path("book/2_sparse_autoencoders/07_sae_family.ipynb")
    assert found["absorption"].chapters[0] == chapter
    assert found["modality gap"].chapters[0].name == "08_beyond_flat.ipynb"


def test_a_term_leads_to_the_name_that_says_it(found):
    assert found["causal inner product"].functions[0] == "geometry.CausalInnerProduct"
    assert found["BatchTopK"].functions[0] == "sae.BatchTopKSAE"


def test_exercises_are_numbered_as_their_notebooks_number_them(found):
    for topic in found.values():
        for path, number in topic.exercises:
            chapter, exercise = number.split(".")
            assert path.name.startswith(f"{int(chapter):02}_")
            assert f"## Exercise {exercise}" in (ROOT / path).read_text(encoding="utf-8")


def test_nearly_every_term_of_the_glossary_is_used_by_a_chapter(found):
    terms = topics.terms(ROOT)
    assert len(set(terms)) == len(terms) > 100
    assert len(found) >= 0.7 * len(terms)


@pytest.mark.parametrize(
    ("term", "text", "is_used"),
    [
        ("dead latent", "Two dead\nlatents remain.", True),
        ("probe", "A k-sparse probe-like thing", False),
        ("L0", "the l0 of", False),
        ("F1", "an F1 of .8", True),
        ("contrast-consistent search (CCS)", "Contrast-consistent search finds", True),
        ("band", "a broadband", False),
    ],
)
def test_a_term_is_found_as_words_of_their_own(term, text, is_used):
    assert bool(topics.uses(term).search(text)) == is_used
