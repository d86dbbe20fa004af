# Everything is in tools/make.py, which also works without make: `python tools/make.py help`.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3.10 python3 python; do \
	$$p -c "" >/dev/null 2>&1 && echo $$p && break; done)

.PHONY: help book test peers exercises bands bench lock address clean
.NOTPARALLEL:

help book test peers exercises bench lock clean:
	@$(PYTHON) tools/make.py $@

bands:
	@$(PYTHON) tools/make.py bands "$(CHAPTER)"

address:
	@$(PYTHON) tools/make.py address "$(URL)"
