"""A target that breaks: by its number a case raises, or a thread of it dies, or its process, or it never ends."""

import os
import threading

from fuzz.case import Case


def run(case: Case) -> None:
    case.met("a fault", f"drawn {case.chance.randrange(2)}")
    kind = {3: "raise", 4: "thread", 6: "die", 8: "hang"}.get(case.number)
    if kind == "raise":
        raise AssertionError(f"planted in case {case.number}: {case.chance.random()}")
    if kind == "thread":
        thread = threading.Thread(target=int, args=("no number",), name="doomed")
        thread.start()
        thread.join()
    if kind == "die":
        os._exit(7)
    if kind == "hang":
        threading.Event().wait()
