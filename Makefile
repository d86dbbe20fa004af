# Everything is in tools/make.py, which also works without make: `python tools/make.py help`.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3.10 python3 python; do \
	$$p -c "" >/dev/null 2>&1 && echo $$p && break; done)

.PHONY: help book test lab peers fuzz exercises bands mutants sets public pack pdf bench faults lock address clean
.NOTPARALLEL:

help book test lab peers exercises sets pack pdf bench faults lock clean:
	@$(PYTHON) tools/make.py $@

bands mutants:
	@$(PYTHON) tools/make.py $@ "$(CHAPTER)"

fuzz:
	@$(PYTHON) tools/make.py $@ "$(SECONDS)"

public:
	@$(PYTHON) tools/make.py $@ "$(FOLDER)"

address:
	@$(PYTHON) tools/make.py address "$(URL)"
