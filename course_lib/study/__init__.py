"""Studying by yourself: hints, predictions, and a page that shows how far you are.

Needs the standard library alone. What you did stands in one file on this machine,
`store.path()`; nothing is sent anywhere. `check` and `compare` add to it, `write_page` shows it,
and COURSE_PROGRESS says where it is (`off`: nowhere).
"""

from course_lib.study.catalogue import Exercise, exercises, find
from course_lib.study.hints import Hint, hint
from course_lib.study.page import write_page
from course_lib.study.predictions import compare

__all__ = ["Exercise", "Hint", "compare", "exercises", "find", "hint", "write_page"]
