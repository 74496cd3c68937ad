"""Random cases for as long as one likes: every part of litewf that can be met with something unforeseen.

    python -m fuzz --minutes 20                    all targets, on two cores
    python -m fuzz --minutes 5 --only codec cron   some of them
    python -m fuzz codec --case 17 --seed 4        one case again, as a failure prints it

A target is a module of `fuzz.targets` with one function, `run(case)`. What a case does follows from its target, its
seed and its number alone (`case.chance`); whatever it raises is a violation.
"""
