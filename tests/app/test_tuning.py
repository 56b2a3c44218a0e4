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


_FILES = """
import resource
from gateway.app.tuning import allow_files
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
for soft, hard in ((256, min(hard, 100_000)), (256, 4000), (256, 256)):
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    allow_files()
    print(resource.getrlimit(resource.RLIMIT_NOFILE)[0] == min(hard, 65_536))
"""


def test_as_many_files_may_be_open_as_the_system_allows_within_reason() -> None:
    told = subprocess.run([sys.executable, "-c", _FILES], check=True, capture_output=True, text=True, timeout=60)
    assert told.stdout.split() == ["True", "True", "True"]
