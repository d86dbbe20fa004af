"""Train and watch in a kernel of its own, which hears what a front end sends."""

import os
import re
import time
from pathlib import Path
from queue import Empty

import pytest
from jupyter_client.manager import start_new_kernel

ROOT = Path(__file__).resolve().parents[2]

CELL = """
import torch
from course_lib import plots
from course_lib.data import SparseFeatures
from course_lib.models import ToyModel
from course_lib.superposition import Trainer
from course_lib.widgets import Setting, watch

torch.set_num_threads(1)

def fresh(p):
    return Trainer(ToyModel(5, 2, 2), SparseFeatures(5, p, 2), steps=5000, batch_size=64)

shown = watch(fresh, plots.kept_features, {"p": Setting("p", [0.05, 1.0])}, title="t", frames=100)
shown
"""


class Kernel:
    """A kernel as JupyterLab sees it: cells in, widgets' states out, pressed buttons in."""

    def __init__(self):
        environment = {k: v for k, v in os.environ.items() if k != "COURSE_STATIC"}
        environment["PYTHONPATH"] = str(ROOT)
        self.manager, self.client = start_new_kernel(env=environment)
        self.widgets = {}

    def take(self, seconds=0.2):
        """Take the next message, keep the state of widgets; None if there is none."""
        try:
            message = self.client.get_iopub_msg(timeout=seconds)
        except Empty:
            return None
        content = message["content"]
        if message["msg_type"] in ("comm_open", "comm_msg"):
            state = content["data"].get("state", {})
            self.widgets.setdefault(content["comm_id"], {}).update(state)
        return message

    def run(self, code, reader=True, seconds=60):
        """Run a cell; its outputs, and its error if there is one."""
        cell = self.client.execute(code, allow_stdin=reader)
        outputs, end = [], time.monotonic() + seconds
        while time.monotonic() < end:
            message = self.take()
            if message is None or message["parent_header"].get("msg_id") != cell:
                continue
            if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                return outputs
            if message["msg_type"] in ("display_data", "execute_result", "stream", "error"):
                outputs.append(message["content"])
        raise AssertionError(f"the kernel did not end the cell in {seconds} seconds")

    def until(self, happened, seconds=30):
        end = time.monotonic() + seconds
        while not happened():
            assert time.monotonic() < end, f"waited in vain; the page says {self.said()}"
            self.take()

    def press(self, words):
        (button,) = [k for k, w in self.widgets.items() if w.get("description") == words]
        data = {"method": "custom", "content": {"event": "click"}}
        message = self.client.session.msg("comm_msg", {"comm_id": button, "data": data})
        self.client.shell_channel.send(message)

    def said(self):
        texts = [w.get("value") for w in self.widgets.values() if w.get("_view_name") == "HTMLView"]
        return next(text for text in texts if "<img" not in text)

    def step(self):
        return int(re.search(r"(\d+) of", self.said())[1])


@pytest.fixture(scope="module")
def kernel():
    made = Kernel()
    yield made
    made.client.stop_channels()
    made.manager.shutdown_kernel(now=True)


def test_a_kernel_without_a_reader_gets_the_still_picture(kernel):
    picture, sentence = kernel.run(CELL.replace("steps=5000", "steps=50"), reader=False)
    assert "image/png" in picture["data"] and "train it live" in sentence["data"]["text/markdown"]
    assert not kernel.widgets
    (said,) = kernel.run(
        "import os; os.environ['COURSE_STATIC'] = '1'\n"
        "from course_lib.widgets import front_end; print(front_end.live())\n"
        "del os.environ['COURSE_STATIC']"
    )
    assert said["text"] == "False\n"


def test_in_a_kernel_stop_and_interrupt_work_while_training_and_so_do_other_cells(kernel):
    (shown,) = kernel.run(CELL)
    assert {"application/vnd.jupyter.widget-view+json", "image/png"} <= shown["data"].keys()
    assert kernel.step() == 0

    kernel.press("Train")
    kernel.until(lambda: kernel.step() >= 150)
    (told,) = kernel.run("print(shown.training, 0 < shown.trainer.step < 5000)")
    assert told["text"] == "True True\n", "a cell runs between two slices"
    kernel.press("Stop")
    kernel.until(lambda: "Stopped at step" in kernel.said())
    stopped_at = kernel.step()
    time.sleep(0.5)
    (told,) = kernel.run("print(shown.training, shown.trainer.step)")
    assert told["text"] == f"False {stopped_at}\n" and stopped_at < 5000

    kernel.press("Train")
    kernel.until(lambda: kernel.step() >= stopped_at + 100)
    kernel.manager.interrupt_kernel()
    kernel.until(lambda: "Stopped at step" in kernel.said())
    assert kernel.step() < 5000 and kernel.manager.is_alive()

    kernel.press("Reset")
    kernel.until(lambda: kernel.step() == 0)
    (told,) = kernel.run("print(shown.training, shown.trainer.step)")
    assert told["text"] == "False 0\n"
