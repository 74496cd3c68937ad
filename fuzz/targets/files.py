"""Files with damage of every kind: whoever opens them gets a program that works, or an error of litewf; never a crash.

What the -wal loses by one flipped bit is found, save the last commits. Damage to the database itself is only promised to
do no harm beyond it: what came out wrong without a word is counted, and told at the end.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from fuzz.case import Case
from fuzz.program import Files, Left, Revival, left_behind, put

PAGE = 4096
LAST_COMMITS = 2  # of workflows that may be gone with them
Damage = Callable[[random.Random, Files, str, Left], None]


def run(case: Case) -> None:
    """Take what some process left, damage it once or several times, open it."""
    chance, left = case.chance, left_behind()
    name = chance.choice(["crashed", "copied", "closed", "closed"])
    files = dict(getattr(left, name))
    kinds = []
    for _ in range(chance.choice([1, 1, 1, 2, 3])):
        if not any(files.values()):
            break
        damage = chance.choice(DAMAGES)
        suffix = chance.choice([suffix for suffix in files if files[suffix]])
        damage(chance, files, suffix, left)
        where = "" if damage in (_an_old_wal_beside_it, _an_odd_journal) else f" in {suffix or 'the database'}"
        kinds.append(damage.__name__.strip("_").replace("_", " ") + where)
    path = case.folder / "flows.db"
    put(files, path)
    revival = Revival(path)
    _check(case, revival, kinds)


def _check(case: Case, revival: Revival, kinds: list[str]) -> None:
    if revival.refused is not None:
        text = str(revival.refused)
        assert "flows.db" in text, f"an error that names no file: {text}"
        case.met(*kinds, f"refused with {type(revival.refused).__name__}")
        return
    wrong = revival.wrong()
    if kinds == ["bit flip in -wal"]:
        lost = [one for one in wrong if "WorkflowNotFoundError" in one]
        assert len(lost) <= LAST_COMMITS, f"silently lost: {lost}"
    case.met(*kinds, "opened: something is wrong or missing" if wrong else "opened: everything came to its end")


# --- damage -------------------------------------------------------------------------------------------------------


def _bit_flip(chance: random.Random, files: Files, suffix: str, _left: Left) -> None:
    content = bytearray(files[suffix])
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    files[suffix] = bytes(content)


def _bit_flip_in_a_header(chance: random.Random, files: Files, suffix: str, _left: Left) -> None:
    content = bytearray(files[suffix])
    content[chance.randrange(min(len(content), 136))] ^= 1 << chance.randrange(8)
    files[suffix] = bytes(content)


def _many_bit_flips(chance: random.Random, files: Files, suffix: str, left: Left) -> None:
    for _ in range(chance.choice([10, 200, 2_000])):
        _bit_flip(chance, files, suffix, left)


def _garbage(chance: random.Random, files: Files, suffix: str, _left: Left) -> None:
    size = chance.choice([1, 16, 512, PAGE])
    at = chance.randrange(len(files[suffix])) // size * size
    put_in = chance.choice([bytes(size), b"\xff" * size, chance.randbytes(size)])
    files[suffix] = files[suffix][:at] + put_in + files[suffix][at + size :]


def _zeroed_page(chance: random.Random, files: Files, suffix: str, _left: Left) -> None:
    at = chance.randrange(0, len(files[suffix]), PAGE)
    files[suffix] = files[suffix][:at] + bytes(PAGE) + files[suffix][at + PAGE :]


def _a_page_in_the_place_of_another(chance: random.Random, files: Files, suffix: str, _left: Left) -> None:
    source, target = (chance.randrange(0, len(files[suffix]), PAGE) for _ in range(2))
    page = files[suffix][source : source + PAGE]
    files[suffix] = files[suffix][:target] + page + files[suffix][target + len(page) :]


def _truncated(chance: random.Random, files: Files, suffix: str, _left: Left) -> None:
    size = len(files[suffix])
    files[suffix] = files[suffix][
        : chance.choice([0, 1, 16, 32, 99, 100, PAGE, size // 2, size - 1, chance.randrange(size)])
    ]


def _longer(chance: random.Random, files: Files, suffix: str, _left: Left) -> None:
    files[suffix] += chance.choice([bytes(PAGE), chance.randbytes(100), files[suffix][-PAGE:]])


def _missing(_chance: random.Random, files: Files, suffix: str, _left: Left) -> None:
    del files[suffix]


def _an_earlier_one(_chance: random.Random, files: Files, suffix: str, left: Left) -> None:
    files[suffix] = left.earlier.get(suffix, b"")


def _that_of_another_file(_chance: random.Random, files: Files, suffix: str, left: Left) -> None:
    files[suffix] = left.others.get(suffix, b"")


def _an_old_wal_beside_it(_chance: random.Random, files: Files, _suffix: str, left: Left) -> None:
    files["-wal"] = left.crashed["-wal"]


def _an_odd_journal(chance: random.Random, files: Files, suffix: str, _left: Left) -> None:
    magic = b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7"
    files["-journal"] = chance.choice([b"", magic + chance.randbytes(600), chance.randbytes(50), files[suffix][:5000]])


DAMAGES: tuple[Damage, ...] = (
    _bit_flip, _bit_flip, _bit_flip, _bit_flip_in_a_header, _many_bit_flips, _garbage, _zeroed_page,
    _a_page_in_the_place_of_another, _truncated, _longer, _missing, _an_earlier_one, _that_of_another_file,
    _an_old_wal_beside_it, _an_odd_journal,
)  # fmt: skip
