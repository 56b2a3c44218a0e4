import subprocess
import sys

_LOOK = """
import gc, sys
from gateway.app.tuning import tune
before = (gc.get_threshold()[0], sys.getswitchinterval())
kept = [[number] for number in range(1000)]
tune()
frozen = gc.get_freeze_count() > 1000
print(gc.isenabled(), frozen, gc.get_threshold()[0] > before[0], sys.getswitchinterval() < before[1])
"""


def test_what_is_loaded_is_left_out_of_the_search_for_cycles_which_goes_on() -> None:
    # In a process of its own: it changes the interpreter.
    told = subprocess.run([sys.executable, "-c", _LOOK], check=True, capture_output=True, text=True, timeout=60)
    assert told.stdout.split() == ["True", "True", "True", "True"]
