"""A second, slow reader of the story world, by the spelling of its words.

It shares the lists of roots with the library and nothing else: words are taken apart as strings,
labels are told again token by token.
"""

import re
from functools import cache
from itertools import product

from course_lib.data import story_words as lists

ENGLISH_ENDS, SPANISH_ENDS = {"is": 0, "are": 1, "was": 2, "were": 3}, ("a", "an", "aba", "aban")


def table(text, **parts):
    """{word: {part: value}} for words in the order of all combinations of the parts."""
    sizes = list(parts.values())
    places = product(*map(range, sizes))
    return {w: dict(zip(parts, p, strict=True)) for w, p in zip(text.split(), places, strict=True)}


WRITTEN = {
    "day": table("ordinary-day opposite-day", day=2),
    "mood": table("as-you-like be-grim be-glad", mood=3),
    "cue": table("in-truth in-this-story", cue=2),
    "comma": {",": {}},
    "pronoun": table("he she él ella", language=2, gender=2),
    "relation": table(lists.GROUPS["relation"][1], language=2, relation=3),
    "kind": table(lists.GROUPS["kind"][1], language=2, kind=3),
    "is": table("is es", language=2),
    "verdict": table("false true unsure falso cierto quizás", language=2, verdict=3),
    "symbol": table(" ".join("αβγδεζηθικλμνξοπρστυφχψω"), symbol=24),
    "opener": table(lists.GROUPS["opener"][1], language=2, habit=10),
    "feeling": table(lists.GROUPS["feeling"][1], language=2, valence=2, lexeme=4),
}


def shared(a, b):
    """How many letters two words have in common at their beginning."""
    return sum(a[: i + 1] == b[: i + 1] for i in range(min(len(a), len(b))))


@cache
def parse(word):
    """(group, {part: value}) of a word, from its spelling."""
    for group, words in WRITTEN.items():
        if word in words:
            return group, words[word]
    if word.endswith(":"):
        return "speaker", {"speaker": lists.SPEAKERS.index(word[:-1])}
    if word in lists.NAMES:
        return "name", {"name": lists.NAMES.index(word)}
    bare = re.sub("^(with-the|con-el|con-la)-", "", word)
    for lexeme, row in enumerate(lists.PEOPLE):
        if bare != word and bare in row.split():
            language, gender = divmod(row.split().index(bare), 2)
            return "companion", {"language": language, "gender": gender, "lexeme": lexeme}
    for relation, row in enumerate(lists.ANSWERS.values()):
        for language, words in enumerate(row):
            if word in words.split():
                answer = words.split().index(word)
                return "value", {"language": language, "relation": relation, "answer": answer}
    for topic, row in enumerate(lists.ADJECTIVES.values()):
        for language, words in enumerate(row):
            if word in words.split():
                valence = words.split().index(word) // 2
                return "adjective", {"language": language, "valence": valence, "topic": topic}
    for language, stems in enumerate(lists.MEETINGS):
        for stem in stems.split():
            ends = (stem + "s", stem + "ed") if language == 0 else (stem + "a-a", stem + "aba-a")
            if word in ends:
                return "meeting", {"language": language, "tense": ends.index(word), "lexeme": 0}
    for topic, row in enumerate(lists.VERBS.values()):
        for i, root in enumerate(row.split()):
            aux, _, participle = word.partition("-")
            if i < 2 and participle == root:
                tense, number = divmod(ENGLISH_ENDS[aux], 2)
                return "verb", {"language": 0, "tense": tense, "number": number, "topic": topic}
            if i >= 2 and word.removeprefix(root) in SPANISH_ENDS and word.startswith(root):
                tense, number = divmod(SPANISH_ENDS.index(word.removeprefix(root)), 2)
                return "verb", {"language": 1, "tense": tense, "number": number, "topic": topic}
    _, _, leaf, i, plural = max(
        (shared(word, form), -len(form), leaf, i, word != root)
        for leaf, row in enumerate(lists.LEAVES)
        for i, root in enumerate(row)
        for form in (root, root[:-1] + "ie" if root[-1] == "y" else root)
    )
    return "noun", {"language": i // 2, "number": int(plural), "leaf": leaf}


SLOTS = {
    "title": "day mood noun cue relation name kind is value",
    "story": "speaker opener companion adjective noun verb value comma pronoun meeting name "
    "feeling",
    "fact": "speaker opener relation name kind is value comma speaker opener verdict feeling",
    "list": "symbol " * 12,
}


def layout(words):
    """For each word: turn (0 is the title), slot, kind of turn, group, parts."""
    rows = []
    parsed = [parse(word) for word in words]
    for position, (group, parts) in enumerate(parsed):
        turn, slot = (0, position) if position < 9 else divmod(position + 3, 12)
        start = 9 + 12 * (turn - 1)
        kind = "title"
        if turn and parsed[start][0] == "symbol":
            kind = "list"
        elif turn:
            kind = "fact" if parsed[start + 2][0] == "relation" else "story"
        assert group == SLOTS[kind].split()[slot]
        rows.append((turn, slot, kind, group, parts))
    return rows


def seat(turn, slot, kind):
    return (turn - 1 + (kind == "fact" and slot >= 8)) % 2


def truth(facts, title, name, relation):
    if (name, relation) == title[:2]:
        return title[2]
    return int(facts[name][relation])


def labels(words, facts):
    """The labels of a document without noise, one dict for each word; -1 for none."""
    rows, out = layout(words), []
    title = (rows[5][4]["name"], rows[4][4]["relation"], rows[8][4]["answer"])
    lasting, now, before = {}, {}, []
    for _, slot, kind, group, parts in rows:
        if slot == 0:
            now, before, fact = {}, [], {}
        of_all = ("language", "gender", "tense", "valence", "topic", "day", "cue")
        lasting |= {part: parts[part] for part in of_all if part in parts}
        if group == "noun":
            leaf = parts["leaf"]
            now |= {"leaf": leaf, "branch": leaf // 4, "root": leaf // 12}
        if "number" in parts:
            now["number"] = parts["number"]
        if group == "relation":
            now["relation"] = fact["relation"] = parts["relation"]
        if group == "name":
            name = fact["name"] = parts["name"]
            known = int(facts[name][0] >= 0)
            now |= {"name": name, "known": known, "kind": name % 3, "frequent": name // 6 % 2}
        if kind == "story" and group == "value":
            lasting["place"] = parts["answer"]
        if kind == "fact" and group == "value":
            right = truth(facts, title, fact["name"], fact["relation"])
            now["true"] = -1 if right < 0 else int(parts["answer"] == right)
        if group == "speaker":
            now["speaker"] = parts["speaker"]
            if parts["speaker"] % 6 < 4:
                now["honest"] = int(parts["speaker"] % 6 < 2)
            else:
                now.pop("honest", None)
        if kind == "list":
            before.append(parts["symbol"])
            now["copied"] = int(parts["symbol"] in before[:-1])
            now["list"] = before
        out.append({**lasting, **now, "turn": ["title", "story", "fact", "list"].index(kind)})
    for found in out:
        if found.get("copied"):  # by one symbol, if the whole list never says two things after it
            told = set(zip(found["list"], found["list"][1:], strict=False))
            found["prefix"] = int(len(told) > len(dict(told)))
    return out
