"""Students who work alone: each puts problem set 1 together from choices of their own.

Every question is a line of slots, and each slot has ways to write it that people use; among them
are mistakes of tests/wrong_answers. So two students share what is usual, and now and then more.
"""

import random

from tests.grading.toy import cell, notebook

SET = "ps1_cost_of_sharing"
READ_ERROR = (
    ("{g} = W @ W.T", "{g} = torch.einsum('id,jd->ij', W, W)", "{g} = torch.mm(W, W.t())",
     "{g} = W.matmul(W.transpose(0, 1))", "{g} = torch.inner(W, W)"),
    ("{g} = {g} / W.square().sum(dim=1, keepdim=True)", "{g} = {g} / (W ** 2).sum(1)[:, None]",
     "{g} = {g} / {g}.diagonal()[:, None]", "{g} /= W.norm(dim=1).unsqueeze(1) ** 2",
     "{n} = torch.linalg.norm(W, dim=1)\n{g} = {g} / {n}.pow(2).view(-1, 1)",
     "{n} = W.norm(dim=1, keepdim=True)\n{g} = {g} / {n}", "{g} = {g} / W.square().sum(dim=1)"),
    ("{g} = {g} - torch.diag({g}.diagonal())", "{g}.fill_diagonal_(0)",
     "{g} = {g} * (1 - torch.eye(len(W)))", "{g}[range(len(W)), range(len(W))] = 0",
     "{g} = {g}.masked_fill(torch.eye(len(W), dtype=torch.bool), 0.0)",
     "for {i} in range(W.shape[0]):\n    {g}[{i}, {i}] = 0", ""),
    ("{m} = p / 2", "{m} = 0.5 * p", "{m} = p * 0.5", "{m} = torch.div(p, 2)"),
    ("{v} = p / 3 - p.square() / 4", "{v} = p / 3 - {m} ** 2", "{v} = (1 / 3) * p - {m} * {m}",
     "{s} = p / 3\n{v} = {s} - {m}.pow(2)", "{v} = p / 12 + p * (1 - p) / 4", "{v} = p / 3",
     "{v} = p / 12"),
    ("return {g}.square() @ {v} + ({g} @ {m}).square()",
     "return ({g} ** 2) @ {v} + ({g} @ {m}) ** 2",
     "return ({g}.pow(2) * {v}).sum(dim=1) + ({g} * {m}).sum(dim=1).pow(2)",
     "{b} = {g} @ {m}\n{s} = ({g} * {g}) @ {v}\nreturn {s} + {b} * {b}",
     "{s} = torch.mv({g} ** 2, {v})\nreturn {s} + torch.mv({g}, {m}) ** 2",
     "return ({g} ** 2) @ {v}"),
)  # fmt: skip
TOY_LOSSES = (
    ("{h} = x @ W", "{h} = torch.einsum('bi,nid->nbd', x, W)", "{h} = torch.matmul(x, W)",
     "{h} = x[None] @ W", "{h} = x.unsqueeze(0).expand(len(W), -1, -1).bmm(W)"),
    ("{z} = {h} @ W.mT", "{z} = {h} @ W.transpose(-1, -2)", "{z} = {h}.bmm(W.permute(0, 2, 1))",
     "{z} = torch.einsum('nbd,nid->nbi', {h}, W)", "{z} = torch.matmul({h}, W.transpose(1, 2))"),
    ("{z} = {z} + b[:, None]", "{z} = {z} + b.unsqueeze(1)", "{z} += b[:, None, :]",
     "{z} = torch.add({z}, b.view(len(b), 1, -1))", ""),
    ("{y} = torch.relu({z})", "{y} = {z}.relu()", "{y} = {z}.clamp(min=0)",
     "{y} = torch.maximum({z}, torch.zeros_like({z}))", "{y} = torch.nn.functional.relu({z})",
     "{y} = {z} * ({z} > 0)", "{y} = {z}"),
    ("{e} = (x - {y}).square()", "{e} = ({y} - x) ** 2", "{e} = torch.pow(x - {y}, 2)",
     "{d} = x - {y}\n{e} = {d} * {d}", "{e} = (x.unsqueeze(0) - {y}).pow(2)"),
    ("{e} = importance * {e}", "{e} = {e} * importance[None, None]", "{e} *= importance",
     "{e} = torch.mul({e}, importance)", "{e} = {e} * importance.view(1, 1, -1)", ""),
    ("return {e}.sum(dim=-1).mean(dim=-1)", "return {e}.sum(2).mean(1)",
     "return {e}.mean(dim=(1, 2))",
     "return {e}.mean(dim=1).sum(dim=-1)", "return {e}.sum(dim=(1, 2)) / len(x)",
     "return {e}.sum((-2, -1)) / x.shape[0]", "return torch.sum({e}, dim=-1).mean(-1)"),
)  # fmt: skip
LOUDEST_RIVAL = (
    ("{u} = W / W.norm(dim=1, keepdim=True)", "{u} = torch.nn.functional.normalize(W, dim=1)",
     "{u} = W / torch.linalg.norm(W, dim=1)[:, None]",
     "{u} = W / W.pow(2).sum(1, keepdim=True).sqrt()",
     "{l} = torch.sqrt((W * W).sum(dim=1))\n{u} = W / {l}.unsqueeze(-1)"),
    ("{c} = {u} @ {u}.T", "{c} = torch.einsum('id,jd->ij', {u}, {u})",
     "{c} = torch.mm({u}, {u}.t())",
     "{c} = {u}.matmul({u}.transpose(0, 1))"),
    ("{a} = {c}.abs() - 2 * torch.eye(len(W))", "{a} = {c}.abs().fill_diagonal_(-1)",
     "{a} = {c}.abs()\n{a}[range(len(W)), range(len(W))] = -1.0", "{a} = {c}.abs()",
     "{a} = torch.abs({c}) * (1 - torch.eye(W.shape[0]))", "{a} = {c} - 2 * torch.eye(len(W))",
     "{a} = {c}.abs().masked_fill(torch.eye(len({c})).bool(), float('-inf'))"),
    ("{r} = {a}.argmax(dim=1)", "{r} = torch.argmax({a}, dim=-1)", "_, {r} = {a}.max(dim=1)",
     "{r} = {a}.max(1).indices", "{r} = {a}.topk(1, dim=1).indices.squeeze(1)"),
    ("return {r}, {c}.gather(1, {r}[:, None])[:, 0]", "return {r}, {c}[torch.arange(len(W)), {r}]",
     "return {r}, {c}[range(len({r})), {r}]", "return {r}, {a}.max(dim=1).values",
     "{k} = torch.take_along_dim({c}, {r}.unsqueeze(1), dim=1)\nreturn {r}, {k}.squeeze(1)"),
)  # fmt: skip
NUMBERS = (
    ("{k} = loudest_rival(my_W)[1].abs().max()",
     "_, {c} = loudest_rival(my_W)\n{k} = {c}.abs().max()",
     "{k} = max(abs(v) for v in loudest_rival(my_W)[1].tolist())"),
    ("{w} = ((40 - 12) / (12 * 39)) ** 0.5",
     "n, m = my_W.shape\n{w} = math.sqrt((n - m) / (m * (n - 1)))",
     "n, m = 40, 12\n{w} = ((n - m) / m / (n - 1)) ** 0.5", "{w} = (28 / 468) ** 0.5"),
    ("{f} = read_error(my_W, my_p).argmax()", "{f} = torch.argmax(read_error(my_W, my_p))",
     "{e} = read_error(my_W, my_p)\n{f} = {e}.max(0).indices",
     "{f} = read_error(my_W, my_p).argmin()"),
    ("my_numbers = (float({k}), {w}, int({f}))", "my_numbers = {k}, {w}, {f}",
     "my_numbers = (round(float({k}), 6), {w}, int({f}))"),
)  # fmt: skip
WRITTEN = (
    ("The {mean} is {over} pairs", "1/100 {describes} one pair", "One overlap is {small}"),
    ("but {all} active features {add}", "while what {hurts} is the {total} of them",
     "and {many} of them {add} at once"),
    ("so the {hurt} {grows} with how many are on", "which {makes} {much} more than a percent",
     "and frequent neighbours {make} it {worse}"),
    ("A {bias} bias and a ReLU {cut} it", "{fewer} features {cut} it", "A {nicer} frame {cuts} it"),
)  # fmt: skip
WORDS = (
    "average", "mean", "expected", "typical", "usual", "overall", "ordinary", "single",
    "separate", "squared", "small", "tiny", "low", "over", "across", "between", "among", "per",
    "within", "describes", "concerns", "hurts", "disturbs", "matters", "sum", "total", "pile",
    "whole", "joint", "together", "grows", "rises", "climbs", "increases", "makes", "means",
    "gives", "leaves", "worse", "larger",
)  # fmt: skip
GIVEN = "import hashlib\nimport math\nimport torch"


def function(head: str, slots: tuple, dice: random.Random) -> str:
    """A function (or, without a head, lines) with one way for each slot and names of its own."""
    lines = [line for slot in slots if (line := dice.choice(slot))]
    names = {c: f"{dice.choice(WORDS)}_{c}" for c in "abcdefghiklmnrsuvwyz"}
    text = "\n".join(lines).format(**names)
    if dice.random() < 0.3:
        text = f"# {' '.join(dice.sample(WORDS, 5))}\n{text}"
    return head + "\n" + "\n".join("    " + t for t in text.split("\n")) if head else text


def answers(seed: int) -> dict[str, str]:
    """A student's cells by question, and their written answer as `free`."""
    dice = random.Random(seed)
    told = (dice.choice(slot) for slot in WRITTEN)
    prose = ". ".join(
        " ".join(dice.choice(WORDS) if w.startswith("{") else w for w in line.split())
        for line in told
    )
    return {
        "read_error": function("def read_error(W, p):", READ_ERROR, dice),
        "toy_losses": function("def toy_losses(x, W, b, importance):", TOY_LOSSES, dice),
        "loudest_rival": function("def loudest_rival(W):", LOUDEST_RIVAL, dice),
        "my_numbers": function("", NUMBERS, dice),
        "free": prose + ".",
    }


def notebook_with(student: str, parts: dict[str, str]) -> str:
    """These cells as a notebook that is handed in."""
    code = [cell(text) for name, text in parts.items() if name != "free"]
    essay = cell("<!-- written: free -->\n" + parts["free"], kind="markdown")
    return notebook(cell(GIVEN), cell(f"STUDENT = {student!r}"), *code, essay)
