"""A second, slow reader of the story world: words by their spelling, states by enumeration.

It shares the lists of roots with the library and nothing else: words are taken apart as strings,
labels are told again token by token, probabilities are summed over every combination of states.
"""

import math
import re
from functools import cache

import numpy as np

from course_lib.data import story_words as lists

ENGLISH_ENDS, SPANISH_ENDS = {"is": 0, "are": 1, "was": 2, "were": 3}, ("a", "an", "aba", "aban")


def table(text, **parts):
    """{word: {part: value}} for words in the order of all combinations of the parts."""
    sizes = list(parts.values())
    places = np.ndindex(*sizes)
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


def evidence(words, facts, noise):
    """For each word: what does not depend on a state, and {state: [probability for each value]}.

    The states are the card's; ("number", turn) is that of a turn, "persona1" the first speaker's,
    "trust1" who he is and whether he is honest: 12 values.
    """
    rows, out = layout(words), []
    title = (rows[5][4]["name"], rows[4][4]["relation"], rows[8][4]["answer"])
    opposite, in_story = rows[0][4]["day"], rows[3][4]["cue"]
    lexemes = {"companion": 8, "adjective": 2, "noun": 2, "verb": 2, "meeting": 4, "feeling": 4}
    weight = [4 if name // 6 % 2 else 1 for name in range(96)]
    habits = [(0, 1, 2), (0, 1, 3), (4, 5, 6), (7, 8, 9)]

    def stay(n, value, p=1 - noise):
        return [p if state == value else (1 - p) / (n - 1) for state in range(n)]

    for turn, slot, kind, group, parts in rows:
        rest, states, who = 1 / lexemes.get(group, 1), {}, seat(turn, slot, kind) + 1
        sizes = {"language": 2, "gender": 2, "tense": 2, "valence": 2, "topic": 4}
        states |= {part: stay(n, parts[part]) for part, n in sizes.items() if part in parts}
        if "number" in parts:
            states["number", turn] = stay(2, parts["number"])
        if group in ("day", "cue"):
            states[group] = [float(parts[group] == value) for value in (0, 1)]
        if group == "mood":
            asked = parts["mood"] - 1
            states["valence"] = [0.5 if asked < 0 else p / 2 for p in stay(2, asked)]
        if group == "noun":
            leaf = parts["leaf"]
            states["theme"] = [
                sum(p / n for n, p in ((1, 0.5), (4, 0.25), (12, 0.15), (24, 0.1))
                    if leaf // n == theme // n)
                for theme in range(24)
            ]  # fmt: skip
        if group == "name":
            name = parts["name"]
            base = 0.4 * weight[name] / sum(weight)
            states["hero"] = [base + 0.6 * (hero == name) for hero in range(96)]
        if group == "relation":
            states["question"] = stay(3, parts["relation"], 0.6)
            asked = parts["relation"]
        if group == "kind":
            assert parts["kind"] == name % 3
        if group == "opener":
            likely, not_so = (1 - noise) / 3, noise / 7
            states[f"persona{who}"] = [(not_so, likely)[parts["habit"] in row] for row in habits]
        if group == "speaker":
            assert parts["speaker"] // 6 == who - 1
            states[f"trust{who}"] = [
                float(state // 2 == parts["speaker"] % 6) for state in range(12)
            ]
        act = None
        if kind == "title" and group == "value":
            sure = not in_story and facts[title[0]][title[1]] >= 0
            rest *= 1.0 if sure else 1 / 8
            assert not sure or facts[title[0]][title[1]] == parts["answer"]
        if kind == "story" and group == "value":
            assert parts["relation"] == 0
            states["place"] = stay(8, parts["answer"])
        if kind == "fact" and group == "value":
            assert parts["relation"] == asked
            right, said = truth(facts, title, name, asked), parts["answer"]
            if right < 0:
                rest *= 1 / 8
            else:
                act = said == right
                rest *= 1 if act else 1 / 7
        if group == "verdict":
            act = parts["verdict"] == (2 if right < 0 else int(said == right))
            rest *= 1 if act else 1 / 2
        if act is not None:
            honest = act != bool(opposite)
            states[f"trust{who}"] = [
                1 - noise if bool(state % 2) == honest else noise for state in range(12)
            ]
        if slot == 0 and turn:
            rest *= 0.15 if kind == "list" else 0.85
        if slot == 2 and kind in ("story", "fact"):
            rest *= (0.5 if kind == "story" else 0.35) / 0.85
        out.append((rest, states))
    spell_lists(rows, out)
    return out


def spell_lists(rows, out):
    """Multiply in the probability of each symbol: over the five forms, told as in the card."""
    forms = [([0, 1, 2, 3] * 3, 1 / 6), (([0, 1, 2, 3, 4] * 3)[:12], 1 / 6)]
    forms += [([0, 1, 2, 3, 4, 5] * 2, 1 / 6)]
    forms += [([0, 1, 2, 3, 4, 1, 2, 5, *half], 1 / 4) for half in ([0, 1, 2, 3], [4, 1, 2, 5])]
    for position, (_, slot, kind, _, _) in enumerate(rows):
        if kind != "list" or slot:
            continue
        symbols = [row[4]["symbol"] for row in rows[position : position + 12]]
        alive = [p for _, p in forms]
        for i, symbol in enumerate(symbols):
            total = sum(alive)
            for f, (form, _) in enumerate(forms):
                if form[i] in form[:i]:
                    alive[f] *= symbol == symbols[form.index(form[i])]
                else:
                    alive[f] *= (symbol not in symbols[:i]) / (24 - len(set(symbols[:i])))
            rest, states = out[position + i]
            out[position + i] = (rest * sum(alive) / total, states)


def log_prob(words, facts, noise, prior):
    """The log-probability of each word given those before it, by summing over all states.

    `prior` maps groups of states, as in `evidence`, to an array of their joint probabilities; a
    value without probability costs nothing, so few values make a small sum.
    """
    axes, joint = [], np.ones(())
    kept = {}
    for names, p in prior.items():
        for axis, name in enumerate(names):
            kept[name] = np.flatnonzero(p.sum(axis=tuple(a for a in range(p.ndim) if a != axis)))
            axes.append(name)
        joint = np.multiply.outer(joint, p[np.ix_(*(kept[name] for name in names))])
    out = []
    for rest, states in evidence(words, facts, noise):
        before = joint.sum()
        for name, p in states.items():
            shape = [-1 if axis == name else 1 for axis in axes]
            joint = joint * np.array(p)[kept[name]].reshape(shape)
        after = joint.sum()
        out.append(math.log(rest) + math.log(after / before))
        joint = joint / after
    return out
