"""Train and watch: buttons for a reader, a still picture without one, one way of learning."""

import asyncio
import base64
import itertools
import os
import re
import signal
import time
from pathlib import Path

import matplotlib
import nbformat
import pytest
import torch

matplotlib.use("Agg")

from matplotlib import pyplot as plt

from course_lib import sae
from course_lib.data import SparseFeatures
from course_lib.models import ToyModel
from course_lib.superposition import Trainer
from course_lib.widgets import Setting, front_end, watch
from course_lib.widgets.watch import Still

ROOT = Path(__file__).resolve().parents[2]
BOOK = sorted(ROOT.joinpath("book").rglob("*.ipynb"))
SETTINGS = {"p": Setting("probability p", [1.0, 0.2], 1)}
FRAMES = 5


def fresh(p, lr=1e-2):
    model = ToyModel(5, 2, n_instances=2)
    return Trainer(model, SparseFeatures(5, p, 2), steps=20, batch_size=16, lr=lr)


def draw(trainer):
    figure, ax = plt.subplots(figsize=(1, 1))
    ax.set_title(str(trainer.step))
    return figure


def plain(p):
    trainer = fresh(p)
    trainer.fit()
    return trainer.model.W


def open_notebook(monkeypatch):
    monkeypatch.setattr(front_end, "live", lambda: True)


class Page:
    """A `Watch` in a running loop, as a reader meets it: by what is written on its controls."""

    def __init__(self, fresh=fresh, draw=draw, frames=FRAMES):
        self.watch = watch(fresh, draw, SETTINGS, title="Five <features>", frames=frames)
        controls, self.said, self.picture = self.watch.box.children
        self.menu, self.train, self.reset = controls.children

    async def until(self, happened, seconds=20):
        end = time.monotonic() + seconds
        while not happened():
            assert time.monotonic() < end, f"waited in vain; the page says {self.said.value}"
            await asyncio.sleep(0)

    async def press(self, button):
        button.click()
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    async def trained(self):
        await self.press(self.train)
        await self.until(lambda: not self.watch.training)


def test_without_a_reader_a_trained_picture_stands_there_and_nothing_to_press(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda *objects: shown.extend(objects))
    made = []
    stand_in = watch(lambda p: made.append(fresh(p)) or made[-1], draw, SETTINGS, title="t")
    assert isinstance(stand_in, Still)
    stand_in._ipython_display_()
    picture, sentence = shown
    assert picture.data.startswith(b"\x89PNG") and picture.format == "png"
    assert "Run this notebook to train it live" in sentence.data
    assert "<button" not in sentence.data
    assert torch.equal(made[0].model.W, plain(p=0.2)), "trained to the end, at the first setting"
    assert not plt.get_fignums()


def test_the_button_trains_to_the_weights_of_a_plain_fit_and_the_picture_follows(monkeypatch):
    open_notebook(monkeypatch)

    async def read():
        page = Page()
        pictures = []
        page.picture.observe(lambda change: pictures.append(change.new), names="value")
        assert page.watch.trainer.step == 0 and page.train.description == "Train"
        await page.press(page.train)
        assert page.train.description == "Stop" and page.watch.training
        await page.until(lambda: not page.watch.training)
        assert page.train.description == "Train"
        assert 'role="status"' in page.said.value and "step 20 of 20" in page.said.value
        assert [re.search(r"at step (\d+)", p)[1] for p in pictures] == ["4", "8", "12", "16", "20"]
        assert 'alt="Five &lt;features&gt;, at step 20"' in pictures[-1]
        png = base64.b64decode(re.search(r"base64,([^\"]+)", pictures[-1])[1])
        assert png.startswith(b"\x89PNG") and not plt.get_fignums()
        return page.watch.trainer.model.W

    assert torch.equal(asyncio.run(read()), plain(p=0.2))


def test_stop_holds_within_a_slice_and_train_goes_on_to_the_same_weights(monkeypatch):
    open_notebook(monkeypatch)

    async def read():
        page = Page()
        await page.press(page.train)
        await page.until(lambda: page.watch.trainer.step > 0)
        before = page.watch.trainer.step
        await page.press(page.train)
        stopped_at = page.watch.trainer.step
        assert stopped_at - before <= 20 // FRAMES and page.train.description == "Train"
        assert f"Stopped at step {stopped_at} of 20" in page.said.value
        await asyncio.sleep(0.1)
        assert page.watch.trainer.step == stopped_at < 20
        await page.trained()
        return page.watch.trainer.model.W

    assert torch.equal(asyncio.run(read()), plain(p=0.2))


def test_reset_and_a_setting_give_a_fresh_model_even_while_one_trains(monkeypatch):
    open_notebook(monkeypatch)

    async def read():
        page = Page()
        start = page.watch.trainer.model.W.detach().clone()
        await page.press(page.train)
        await page.until(lambda: page.watch.trainer.step > 0)
        await page.press(page.reset)
        await asyncio.sleep(0.05)
        assert page.watch.trainer.step == 0 and not page.watch.training
        assert torch.equal(page.watch.trainer.model.W, start)
        await page.press(page.train)
        await page.until(lambda: page.watch.trainer.step > 0)
        page.menu.value = 1.0
        await page.until(lambda: page.watch.trainer.step == 0)
        await page.trained()
        assert torch.equal(page.watch.trainer.model.W, plain(p=1.0))
        await page.press(page.train)
        assert page.watch.trainer.step < 20, "once it is trained, Train begins anew"

    asyncio.run(read())


def test_an_error_is_shown_as_an_alert_and_reset_gets_out_of_it(monkeypatch):
    open_notebook(monkeypatch)
    rates = itertools.chain([1e30], itertools.repeat(1e-2))

    async def read():
        page = Page(fresh=lambda p: fresh(p, lr=next(rates)))
        await page.trained()
        assert 'role="alert"' in page.said.value and "FloatingPointError" in page.said.value
        assert "lower lr" in page.said.value and page.train.description == "Train"
        await page.press(page.reset)
        assert "alert" not in page.said.value
        await page.trained()
        assert "Trained to step 20" in page.said.value

    asyncio.run(read())


def test_an_error_of_a_new_setting_is_shown_too(monkeypatch):
    open_notebook(monkeypatch)

    def picky(p):
        if p == 1.0:
            raise ValueError("p is 1 <dense>")
        return fresh(p)

    async def read():
        page = Page(fresh=picky)
        page.menu.value = 1.0
        await page.until(lambda: "alert" in page.said.value)
        assert "ValueError: p is 1 &lt;dense&gt;" in page.said.value

    asyncio.run(read())


@pytest.mark.skipif(os.name == "nt", reason="sends itself a signal")
def test_an_interrupt_stops_as_the_button_does(monkeypatch):
    open_notebook(monkeypatch)

    def interrupted(trainer):
        if trainer.step == 8:
            os.kill(os.getpid(), signal.SIGINT)
        return draw(trainer)

    async def read():
        page = Page(draw=interrupted)
        await page.trained()
        assert "Stopped at step 8 of 20" in page.said.value
        await page.trained()
        assert "Trained to step 20" in page.said.value

    asyncio.run(read())


@pytest.mark.skipif(os.name == "nt", reason="sends itself a signal")
def test_an_interrupt_that_the_trainer_hears_ends_after_the_step(monkeypatch):
    open_notebook(monkeypatch)
    interrupts = itertools.chain([6], itertools.repeat(None))

    class World:
        def __init__(self):
            self.drawn, self.at = 0, next(interrupts)

        def sample(self, batch_size, generator):
            self.drawn += 1
            if self.drawn == self.at:
                os.kill(os.getpid(), signal.SIGINT)
            return torch.rand(batch_size, 4, generator=generator)

    def learner(p):
        return sae.Trainer(sae.TopKSAE(4, 8, 2), World(), steps=20, batch_size=8)

    async def read():
        page = Page(fresh=learner)
        await page.trained()
        stopped_at = page.watch.trainer.step
        assert 4 < stopped_at < 8 and f"Stopped at step {stopped_at} of 20" in page.said.value
        await page.trained()
        assert "Trained to step 20" in page.said.value
        return page.watch.trainer.saes[0]

    trained, plain = asyncio.run(read()), learner(p=None)
    plain.fit()
    assert torch.equal(trained.W_dec, plain.saes[0].W_dec)


def test_every_control_says_in_words_what_it_is_and_shows_its_values(monkeypatch):
    open_notebook(monkeypatch)

    async def read():
        page = Page()
        assert page.menu.description == "probability p"
        assert [shown for shown, _ in page.menu.options] == ["1", "0.2"] and page.menu.value == 0.2
        assert [b.description for b in (page.train, page.reset)] == ["Train", "Reset"]
        shown = []
        monkeypatch.setattr("IPython.display.display", lambda data, raw: shown.append(data))
        page.watch._ipython_display_()
        assert {"application/vnd.jupyter.widget-view+json", "image/png"} <= shown[0].keys()

    asyncio.run(read())


@pytest.mark.parametrize(
    ("values", "start", "message"),
    [([1], 0, "setting 'k': values has 1"), ([1, 2], 2, "'k': start = 2 .* from 0 to 1")],
)
def test_a_setting_without_a_choice_or_with_a_start_beyond_it_is_refused(values, start, message):
    with pytest.raises(ValueError, match=message):
        Setting("k", values, start)


@pytest.mark.parametrize("path", BOOK, ids=lambda path: path.stem)
def test_no_page_uses_interact_whose_slider_moves_a_picture_that_stays(path):
    cells = nbformat.read(path, as_version=4).cells
    code = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
    assert not re.search(r"\binteract(ive)?(_output|_manual)?\b|ipywidgets", code)
