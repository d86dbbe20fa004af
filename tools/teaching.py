"""The lecturer's pages, made from the notebooks, the catalogue and the named wrong answers."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from course_lib.study.catalogue import Exercise, exercises
from tools import set_cards
from tools.markdown import plain, relative, table

SLIDES = Path("_static") / "slides"  # where Sphinx puts book/static/slides


@dataclass(frozen=True)
class Week:
    """What is read and what is set in one week (or day): numbers of chapters and exercises."""

    chapters: tuple[int, ...]
    set: tuple[str, ...]


def _week(chapters: str, exercises: str) -> Week:
    return Week(tuple(map(int, chapters.split())), tuple(exercises.split()))


PLANS = {
    1: (
        _week("2", "2.2 2.3 2.4"),
        _week("6", "6.1 6.2 6.3 6.4"),
        _week("7", "7.1 7.4 7.5"),
        _week("9", "9.1 9.3 9.4"),
        _week("13", "13.1 13.2 13.3"),
    ),
    4: (
        _week("1 2", "1.1 1.3 1.4 2.2 2.3 2.4 2.6"),
        _week("6 7", "6.1 6.2 6.3 6.4 7.1 7.4 7.5"),
        _week("9 12", "9.1 9.3 9.4 9.6 12.1 12.2"),
        _week("13 20", "13.1 13.2 13.3 20.1 20.2 20.5"),
    ),
    10: (
        _week("1 2", "1.1 1.3 1.4 2.2 2.3 2.4 2.6"),
        _week("3", "3.1 3.2 3.3 3.5 3.6"),
        _week("4 5", "4.1 4.4 4.5 5.2 5.4"),
        _week("6", "6.1 6.2 6.3 6.4 6.6"),
        _week("7 8", "7.1 7.4 7.5 7.6 8.1 8.2 8.5"),
        _week("9", "9.1 9.2 9.3 9.4 9.6"),
        _week("12", "12.1 12.2 12.3 12.4 12.5"),
        _week("13 14", "13.1 13.2 13.3 13.5 14.1 14.3 14.6"),
        _week("15 20", "15.1 15.5 15.6 20.1 20.2 20.4 20.5"),
        _week("21 22", "21.1 21.3 21.5 21.6 22.1 22.2 22.4 22.6"),
    ),
}


def given_out(weeks: int, cards: list[dict]) -> list[list[dict]]:
    """The cards of the problem sets that each week of a plan gives out.

    A set is given out when the last of its chapters is read, and not at all in a plan that leaves
    one of them out.
    """
    given, read = [], set()
    for week in PLANS[weeks]:
        now = read | set(week.chapters)
        given.append([one for one in cards if set(one["chapters"]) <= now and
                      not set(one["chapters"]) <= read])  # fmt: skip
        read = now
    return given


def plan(weeks: int) -> Callable[[Path, Path], str]:
    """The generator of a plan's table; in the plan of one week, sets come after it."""
    unit = "Day" if weeks == 1 else "Week"

    def made(root: Path, page: Path) -> str:
        found = {exercise.number: exercise for exercise in exercises()}
        notebooks, given = _chapters(root), given_out(weeks, set_cards.cards(root))
        rows, minutes = [], 0
        for number, (week, sets) in enumerate(zip(PLANS[weeks], given, strict=True), start=1):
            reading = sum(reading_minutes(root / notebooks[n]) for n in week.chapters)
            doing = sum(found[one].minutes for one in week.set)
            proving = sum(map(set_cards.minutes, sets))
            hours = (reading + doing + (weeks > 1) * proving) / 60
            minutes += reading + doing + proving
            row = [
                str(number),
                "; ".join(_chapter_link(notebooks[n], found, page) for n in week.chapters),
                f"{reading}",
                "; ".join(f"{one} {plain(found[one].title)}" for one in week.set),
                f"{doing}",
            ]
            row += ["; ".join(_short(one) for one in sets), f"{proving}"] if weeks > 1 else []
            rows.append((*row, f"{hours:.1f}"))
        heads = [unit, "Chapters", "Minutes", "Exercises to set", "Minutes"]
        heads += ["Problem set given out", "Minutes"] if weeks > 1 else []
        total = f"In all {minutes / 60:.0f} hours of a student's time, besides the lectures."
        if weeks == 1 and any(given):
            later = (f"{_short(o)} ({set_cards.minutes(o)} minutes)" for day in given for o in day)
            total = f"For a grade, after the week: {'; '.join(later)}.\n\n{total}"
        return f"{table((*heads, 'Hours'), rows)}\n\n{total}"

    return made


def set_table(root: Path, page: Path) -> str:
    """The problem sets: what they are about, points, minutes, questions."""
    rows = [
        (
            plain(one["title"]),
            ", ".join(map(str, one["chapters"])),
            str(one["points"]),
            str(set_cards.minutes(one)),
            "; ".join(f"{plain(_after(q['title']))} ({q['points']})" for q in one["questions"]),
        )
        for one in set_cards.cards(root)
    ]
    heads = ("Problem set", "Chapters", "Points", "Minutes", "Questions and their points")
    return table(heads, rows)


def objectives(root: Path, page: Path) -> str:
    """Every exercise, then every question of a problem set, with what one can do after it."""
    parts = []
    for title, members in _by_chapter():
        rows = [
            (
                one.number,
                plain(one.title),
                plain(one.objective),
                f"{one.difficulty} of 5",
                f"{one.importance} of 5",
                str(one.minutes),
            )
            for one in members
        ]
        heads = ("", "Exercise", "After it you can", "Difficulty", "Importance", "Minutes")
        parts += [f"## {title}", _objectives_lead(members), table(heads, rows)]
    for one in set_cards.cards(root):
        rows = [
            (plain(q["title"]), plain(q["objective"]), str(q["points"]), str(q["minutes"]))
            for q in one["questions"]
        ]
        heads = ("Question", "After it you can", "Points", "Minutes")
        lead = f"{one['points']} points, {set_cards.minutes(one)} minutes."
        parts += [f"## {plain(one['title'])}", lead, table(heads, rows)]
    return "\n\n".join(parts)


def misconceptions(root: Path, page: Path) -> str:
    """What students believe who give the named wrong answers, by exercise."""
    from tools.exercises import wrong_answers
    from tools.quiz import misconception

    parts = []
    for title, members in _by_chapter():
        parts.append(f"## {title}")
        for one in members:
            wrong = wrong_answers(one.name.split(".")[0]).WRONG[one.name]
            beliefs = [f"- {plain(misconception(w.answer))}" for w in wrong]
            parts.append(f"**{one.number} {plain(one.title)}**\n\n" + "\n".join(beliefs))
    return "\n\n".join(parts)


def slide_table(root: Path, page: Path) -> str:
    """The decks of all chapters."""
    rows = []
    for number, notebook in _chapters(root).items():
        deck = relative(SLIDES / f"{notebook.stem}.html", page)
        title = next((o.chapter_title for o in exercises() if o.chapter == notebook.stem), "")
        rows.append((f"{number}. {title}", f'<a href="{deck}">{notebook.stem}.html</a>'))
    return table(("Chapter", "Slides"), rows)


def quiz_table(root: Path, page: Path) -> str:
    """How many items there are for each chapter; not what they ask."""
    from tools.quiz import items

    counts: dict[str, list[str]] = defaultdict(list)
    for item in items(root):
        counts[item.chapter].append(item.number)
    rows = [(chapter, str(len(n)), ", ".join(n)) for chapter, n in counts.items()]
    return table(("Chapter", "Items", "On exercises"), rows)


def reading_minutes(notebook: Path) -> int:
    """How long a chapter takes without its exercises, as its first cell says."""
    found = re.search(r"\| Time \| (\d+) minutes", notebook.read_text(encoding="utf-8"))
    if not found:
        raise ValueError(f"{notebook} does not say how long it takes: '| Time | 90 minutes ... |'.")
    return int(found[1])


def chapters_with_exercises(root: Path) -> list[tuple[str, str, Path]]:
    """Name of the checks, title and notebook of every chapter that has exercises."""
    notebooks = {path.stem: path for path in _chapters(root).values()}
    found = {e.chapter: e for e in exercises() if e.chapter in notebooks}
    return [(e.name.split(".")[0], e.chapter_title, notebooks[c]) for c, e in found.items()]


def _chapters(root: Path) -> dict[int, Path]:
    toc = (root / "_toc.yml").read_text(encoding="utf-8")
    return {
        int(name.rsplit("/", 1)[1][:2]): Path(f"{name}.ipynb")
        for name in re.findall(r"file: (book/\S+/\d\d_\S+)", toc)
    }


def _by_chapter() -> Iterable[tuple[str, list[Exercise]]]:
    members: dict[str, list[Exercise]] = defaultdict(list)
    for exercise in exercises():
        members[exercise.chapter].append(exercise)
    for chapter, found in members.items():
        yield f"{int(chapter[:2])}. {found[0].chapter_title}", found


def _chapter_link(notebook: Path, found: dict[str, Exercise], page: Path) -> str:
    number = int(notebook.stem[:2])
    title = next(e.chapter_title for e in found.values() if e.chapter == notebook.stem)
    return f"[{number}. {title}]({relative(notebook, page)})"


def _objectives_lead(members: list[Exercise]) -> str:
    return f"{len(members)} exercises, {sum(one.minutes for one in members)} minutes."


def _short(one: dict) -> str:
    return plain(one["title"].split(":")[0])


def _after(title: str) -> str:
    return title.split(": ", 1)[-1]


GENERATORS = {
    **{f"plan_{weeks}": plan(weeks) for weeks in PLANS},
    "problem_sets": set_table,
    "objectives": objectives,
    "misconceptions": misconceptions,
    "slides": slide_table,
    "quiz": quiz_table,
}
