"""What a reader sees, and that a check never gets in the way."""

import subprocess
import sys

import pytest
import torch

from course_lib import checks
from course_lib.checks import check, feedback
from tests.exercises.notebook import ROOT

NAME = "toy_models.feature_dimensionality"
HEAVY = ("numpy", "matplotlib", "ipywidgets", "sklearn", "scipy", "IPython", "jaxtyping", "tqdm")


def right(W):
    onto = (torch.nn.functional.normalize(W, dim=-1) @ W.mT).square().sum(dim=-1)
    return W.square().sum(dim=-1) / onto.where(onto > 0, 1.0)


def stand_in(W):
    return right(W)


@pytest.fixture(autouse=True)
def forget(monkeypatch):
    monkeypatch.setattr(feedback, "_latest", {})


def told(attempt, capsys, **arguments):
    """What the check returns, and what it prints with its line breaks taken out."""
    result = check(NAME, attempt, otherwise=stand_in, **arguments)
    return result, " ".join(capsys.readouterr().out.split())


def test_the_checks_need_torch_alone():
    code = (
        "import sys\n"
        f"heavy = {HEAVY}\n"
        "class Block:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] in heavy: raise ModuleNotFoundError(name, name=name)\n"
        "import warnings; warnings.simplefilter('ignore')\n"
        "sys.meta_path.insert(0, Block())\n"
        "from course_lib import checks\n"
        "for exercise in checks.exercises(): checks.check(exercise.name, lambda *a: a)\n"
        "print(checks.progress('toy_models')._repr_html_())\n"
        "assert not set(heavy) & set(sys.modules), set(heavy) & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_right_answer_is_returned_and_every_case_has_a_tick(capsys):
    result, text = told(right, capsys)
    assert result is right
    assert text.count("✓") == len(checks.cases(NAME)) and "✗" not in text
    assert "goes on with yours" in text


def test_a_wrong_answer_gives_way_to_the_stand_in_with_a_hint(capsys):
    result, text = told(lambda W: 2 * right(W), capsys)
    assert result is stand_in
    assert "✗" in text and "Hint:" in text
    assert "goes on with course_lib's own" in text


def test_an_open_answer_takes_one_sentence_and_no_case_is_listed(capsys):
    def stub(W):
        raise NotImplementedError

    result, text = told(stub, capsys)
    assert result is stand_in
    assert text.startswith("○ Feature dimensionality: not done yet.")
    assert checks.cases(NAME)[0].title not in text


def test_an_exception_is_told_in_one_line_with_the_students_own_line(capsys):
    def broken(W):
        length = W.norm(dim=-1)
        return W / length

    _, text = told(broken, capsys)
    number = broken.__code__.co_firstlineno + 2
    assert f"it raised RuntimeError in line {number} (`return W / length`)" in text
    assert "Traceback" not in text


def test_an_operation_that_torch_lacks_is_no_open_answer():
    def unsupported(W):
        return (W * 1j).max()

    assert checks.run(NAME, unsupported).verdict == "wrong"


@pytest.mark.parametrize(
    "attempt, says", [(None, "None"), (3.0, "a float"), (torch.ones(2), "a Tensor")]
)
def test_what_is_no_function_gets_a_sentence(attempt, says, capsys):
    _, text = told(attempt, capsys)
    assert says in text and "without brackets" in text


def test_the_stand_in_itself_is_no_answer(capsys):
    result, text = told(stand_in, capsys)
    assert result is stand_in
    assert "not yours" in text and not checks.progress("toy_models").done


def test_an_argument_that_is_changed_in_place_is_noticed(capsys):
    def careless(W):
        D = right(W)
        W /= W.norm(dim=-1, keepdim=True).clamp(min=1e-9)
        return D

    _, text = told(careless, capsys)
    assert "changed its argument `W` in place" in text


def test_a_check_leaves_the_global_random_numbers_alone():
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    check(NAME, lambda W: torch.rand(W.shape[:2]))
    assert torch.equal(torch.rand(3), expected)


def test_a_student_who_draws_random_numbers_is_judged_the_same_way_twice():
    def noisy(W):
        return right(W) + 0.002 * torch.randn(W.shape[:2])

    assert checks.run(NAME, noisy) == checks.run(NAME, noisy)


def test_an_unknown_exercise_raises_with_the_list_of_names():
    with pytest.raises(ValueError, match=r"name is 'toy_models.dim'.*sample_features"):
        check("toy_models.dim", right)
    with pytest.raises(ValueError, match="chapter is 'toys'; it must be one of .*toy_models"):
        checks.progress("toys")


def test_progress_tells_done_wrong_and_not_done_yet_as_text_and_table():
    check(NAME, right)
    check("toy_models.toy_forward", lambda x, W, b: x)
    progress = checks.progress("toy_models")
    states = [state for _, _, state, _, _ in progress.rows]
    assert states == ["not done yet", "wrong", "done"] + 3 * ["not done yet"]
    assert "1 of 6 exercises done" in str(progress)
    assert progress._repr_html_().count("<tr>") == 7
    assert not progress.done
