"""Grades problem sets: what a submission computes is judged outside the process that computed it.

`questions` says what a problem set is, `sandbox` runs a submission where it can do no harm (read
its first lines: they say what is defended against, and how), `grade` turns what came back into
points, `report` writes them down. `cli` is the program `course`.
"""
