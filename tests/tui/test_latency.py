"""The program's garbage is collected while nobody presses keys."""

import subprocess
import sys

SCRIPT = """
import gc, weakref
from cnnblocks_tui import latency

class Node:
    pass

def old_garbage():
    node = Node()
    node.itself = node
    while gc.get_count()[2] < latency.DUE:
        gc.collect(1)
    return weakref.ref(node)

latency.prepare()
assert not gc.isenabled()
latency.settle()
assert gc.isenabled()
garbage = old_garbage()
latency.collect(idle=0.0)
print(garbage() is not None)
latency.collect(idle=2.0)
print(garbage() is not None)
"""


def test_old_garbage_stays_while_keys_are_pressed_and_goes_in_a_pause():
    result = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True)
    assert result.stderr == ""
    assert result.stdout.split() == ["True", "False"]
