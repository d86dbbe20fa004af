"""Train and watch: buttons where a reader has the notebook open, a still picture elsewhere."""

from __future__ import annotations

import asyncio
import base64
import html
import io
import math
import signal
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from course_lib import drawable, validate
from course_lib.widgets import front_end

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BREATH = 0.01  # seconds between slices, in which the kernel hears of a pressed button
STILL = (
    "This is a still picture of the model once it is trained. Run this notebook to train it live: "
    "then *Train*, *Stop*, *Reset* and the settings stand here."
)


class Trainer(Protocol):
    """What can be watched: `superposition.Trainer`, `sae.Trainer`, and whatever is like them."""

    step: int
    steps: int

    def fit(self, until: int | None = None) -> object: ...


@dataclass(frozen=True)
class Setting:
    """Something to change before training: its label, its values, and the place of the first.

    Raises ValueError if there are fewer than two values or `start` is not the place of one, and
    TypeError for a label that is no text or values that are no list.
    """

    label: str
    values: Sequence[Any]
    start: int = 0

    def __post_init__(self) -> None:
        validate.text("label", self.label)
        if len(validate.sequence("values", self.values)) < 2:
            raise ValueError(
                f"setting {self.label!r}: values has {len(self.values)} entry or none; "
                "give at least 2, or drop the setting"
            )
        if validate.positive_int("start", self.start, 0) >= len(self.values):
            raise ValueError(
                f"setting {self.label!r}: start = {self.start} is not a place in values; "
                f"give an integer from 0 to {len(self.values) - 1}"
            )


def watch(
    fresh: Callable[..., Trainer],
    draw: Callable[[Any], Figure],
    settings: Mapping[str, Setting],
    *,
    title: str,
    frames: int = 30,
) -> Watch | Still:
    """Train a model in front of the reader; put it last in a cell, and the page shows it.

    In a notebook that a reader has open: a menu for each setting, a button that trains and stops,
    one that resets, and a picture that is drawn `frames` times on the way. Where nobody could press
    (`front_end.live`), the model is trained at once and its picture stands there.

    Args:
        fresh: makes a trainer at step 0; it gets the chosen value of each setting by its name.
        draw: the picture of a trainer at any step, as a new figure.
        settings: name -> its label, values and start.
        title: what the picture shows, in words; read to those who do not see it.
        frames: pictures from the first step to the last; *Stop* waits for the next at most.

    Raises TypeError for what is no function, text or `Setting`, and what `fresh` and `draw` raise
    at the start; later errors are shown under the buttons.
    """
    validate.positive_int("frames", frames)
    validate.function("fresh", fresh)
    validate.function("draw", draw)
    validate.text("title", title)
    for name, setting in drawable.named("settings", settings, least=0).items():
        validate.instance(
            f"settings[{validate.text('a name of settings', name)!r}]", setting, Setting
        )
    if front_end.live():
        return Watch(fresh, draw, settings, title, frames)
    trainer = fresh(**{name: setting.values[setting.start] for name, setting in settings.items()})
    validate.like("what fresh returned", trainer, "step", "steps", "fit").fit()
    return Still(_png(draw(trainer)))


@dataclass(frozen=True)
class Still:
    """What stands in for `Watch` without a reader: `png`, the picture after training."""

    png: bytes

    def _ipython_display_(self) -> None:
        from IPython.display import Image, Markdown, display

        display(Image(self.png), Markdown(STILL))


class Watch:
    """Controls and a picture of a model in training; `watch` makes it.

    Training is a task of the kernel's own loop, in slices by `fit(until)`. Between two slices the
    kernel hears of pressed buttons, and other cells can be run. An interrupt of the kernel stops
    as the button does.

    Attributes:
        trainer: the one that is shown; another one after *Reset* or a new setting.
        box: the ipywidgets container of all controls.
    """

    def __init__(
        self,
        fresh: Callable[..., Trainer],
        draw: Callable[[Any], Figure],
        settings: Mapping[str, Setting],
        title: str,
        frames: int,
    ) -> None:
        import ipywidgets

        self._fresh, self._draw, self._title, self._frames = fresh, draw, title, frames
        self._loop = asyncio.get_running_loop()
        self._task: asyncio.Task | None = None
        self._menus = {name: _menu(setting) for name, setting in settings.items()}
        self._train = ipywidgets.Button(description="Train", button_style="primary")
        self._reset = ipywidgets.Button(description="Reset")
        self._picture, self._said = ipywidgets.HTML(), ipywidgets.HTML()
        row = ipywidgets.Layout(flex_flow="row wrap")
        controls = [*self._menus.values(), self._train, self._reset]
        top = ipywidgets.HBox(controls, layout=row)
        self.box = ipywidgets.VBox([top, self._said, self._picture])
        self._begin_anew()
        self._train.on_click(self._hear(self._train_or_stop))
        self._reset.on_click(self._hear(self._begin_anew))
        for menu in self._menus.values():
            menu.observe(self._hear(self._begin_anew), names="value")

    def _ipython_display_(self) -> None:
        from IPython.display import display

        picture = base64.b64encode(self._png).decode()  # for whoever opens the file without kernel
        display(self.box._repr_mimebundle_() | {"image/png": picture}, raw=True)

    @property
    def training(self) -> bool:
        """Whether a slice is under way or to come."""
        return self._task is not None

    def _hear(self, action: Callable[[], None]) -> Callable[..., object]:
        """A handler that acts between slices, even where messages come in on another thread."""
        return lambda *_: self._loop.call_soon_threadsafe(self._shown, action)

    def _shown(self, action: Callable[[], object]) -> object:
        """Act; show what goes wrong, which the front end would hide in a log."""
        try:
            return action()
        except Exception as error:
            self._stop()
            told = html.escape("".join(traceback.format_exception(error)))
            self._said.value = f'<pre role="alert">{told}</pre>'
            return None

    def _begin_anew(self) -> None:
        self._stop()
        self.trainer = self._fresh(**{name: menu.value for name, menu in self._menus.items()})
        self._show()

    def _train_or_stop(self) -> None:
        if self.training:
            self._hold()
            return
        if self.trainer.step == self.trainer.steps:
            self._begin_anew()
        self._task = self._loop.create_task(self._slices())
        self._train.description = "Stop"

    def _stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self._train.description = "Train"

    def _hold(self) -> None:
        if self.training:
            self._stop()
            self._say("Stopped at step")

    async def _slices(self) -> None:
        with _on_interrupt(self._hear(self._hold)):
            while self._shown(self._slice):
                await asyncio.sleep(BREATH)

    def _slice(self) -> bool:
        """Train on to the next picture; whether there are more to come."""
        trainer, interrupted = self.trainer, False
        until = trainer.step + math.ceil(trainer.steps / self._frames)
        try:
            trainer.fit(until=min(until, trainer.steps))
        except KeyboardInterrupt:  # of a trainer that hears interrupts itself
            interrupted = True
        self._show()
        if trainer.step == trainer.steps:
            self._stop()
            self._say("Trained to step")
        elif interrupted:
            self._hold()
        return self.training

    def _show(self) -> None:
        self._png = _png(self._draw(self.trainer))
        self._say("Step")
        source = f"data:image/png;base64,{base64.b64encode(self._png).decode()}"
        words = html.escape(f"{self._title}, at step {self.trainer.step}", quote=True)
        self._picture.value = f'<img src="{source}" alt="{words}" style="max-width: 100%">'

    def _say(self, what: str) -> None:
        role = "" if what == "Step" else ' role="status"'  # a slice is no news
        text = f"{what} {self.trainer.step} of {self.trainer.steps}"
        self._said.value = f"<p{role}>{text}</p>"


@contextmanager
def _on_interrupt(handler: Callable[..., object]) -> Iterator[None]:
    """Inside, an interrupt calls the handler; between cells a kernel would not hear it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGINT) is handler:  # and not that of a cell that is running
            signal.signal(signal.SIGINT, before)


def _menu(setting: Setting) -> Any:
    import ipywidgets

    shown = [f"{v:g}" if isinstance(v, float) else str(v) for v in setting.values]
    return ipywidgets.Dropdown(
        options=list(zip(shown, setting.values, strict=True)),
        index=setting.start,
        description=setting.label,
        style={"description_width": "initial"},
    )


def _png(figure: Figure) -> bytes:
    """The figure as a file; it is closed, so that the notebook does not show it once more."""
    from matplotlib import pyplot as plt

    validate.like("what draw returned", figure, "savefig")
    content = io.BytesIO()
    figure.savefig(content, format="png")
    plt.close(figure)
    return content.getvalue()
