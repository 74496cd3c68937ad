"""A checkout that resumes where it was. Run it, stop it with Ctrl-C while it sleeps, run it again."""

import litewf


@litewf.step
def reserve(sku: str) -> str:
    print(f"reserving {sku}")
    return f"reserved {sku}"


@litewf.step(max_retries=3)
def charge(cents: int) -> str:
    print(f"charging {cents} cents, with the key {litewf.idempotency_key()}")
    return f"receipt over {cents} cents"


@litewf.workflow
def checkout(sku: str, cents: int) -> str:
    reserve(sku)  # recorded: never runs again
    receipt = charge(cents)
    litewf.sleep(3)  # its end is recorded too; a year would be as good
    return receipt


if __name__ == "__main__":
    with litewf.Engine("quickstart.db") as engine:  # creates the file, recovers what was running
        handle = engine.start_workflow(checkout.with_options(workflow_id="order-1"), "espresso machine", 24_900)
        print(handle.get_result())
        for step in engine.list_steps("order-1"):
            print(f"  step {step.step_id}: {step.name}")
