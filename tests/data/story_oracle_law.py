"""The law of the story world, a second time: sums over every combination of states."""

import math

import numpy as np

from tests.data.story_oracle import layout, seat, truth


def evidence(words, facts, noise, lies_about=None):
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
        if act is not None and lies_about not in (None, asked):  # here a liar is like the honest
            rest *= 1 - noise if act != bool(opposite) else noise
        elif act is not None:
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


def log_prob(words, facts, noise, prior, lies_about=None):
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
    for rest, states in evidence(words, facts, noise, lies_about):
        before = joint.sum()
        for name, p in states.items():
            shape = [-1 if axis == name else 1 for axis in axes]
            joint = joint * np.array(p)[kept[name]].reshape(shape)
        after = joint.sum()
        out.append(math.log(rest) + math.log(after / before))
        joint = joint / after
    return out
