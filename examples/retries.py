"""Steps that fail: retried with growing pauses, given up after the last attempt, or never retried at all."""

import litewf


class CardDeclinedError(Exception):
    """The bank has said no; asking again does not help."""


@litewf.step(max_retries=5, base_interval=0.05, backoff_factor=2.0, retry_on=ConnectionError)
def charge(cents: int) -> str:
    if cents > 100_000:
        raise CardDeclinedError("over the limit")  # not a ConnectionError: raised at once
    if litewf.attempt() < 3:
        raise ConnectionError("the bank does not answer")
    return f"charged {cents} cents at attempt {litewf.attempt()}"


@litewf.step(max_retries=2, base_interval=0.01)
def print_label() -> str:
    raise OSError("out of paper")


@litewf.step
def refund(cents: int) -> str:
    return f"refunded {cents} cents"


@litewf.workflow
def checkout(cents: int) -> list[str]:
    try:
        happened = [charge(cents)]
    except CardDeclinedError as declined:
        return [f"declined: {declined}"]
    try:
        happened.append(print_label())
    except litewf.StepRetriesExceededError as exceeded:
        happened.append(f"no label after {len(exceeded.errors)} attempts: {exceeded.errors[-1]}")
        happened.append(refund(cents))
    return happened


if __name__ == "__main__":
    with litewf.Engine("retries.db") as engine:
        for cents in (4_900, 1_000_000):
            print(*engine.run_workflow(checkout, cents), sep="\n")
