"""Authors' commands; not part of the installed package."""
