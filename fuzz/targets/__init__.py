"""What is tried, one module each, in the order in which a run goes through them."""

TARGETS = (
    "codec",
    "cron",
    "cloud_events",
    "http",
    "wal",
    "files",
    "rows",
    "machine",
    "process_death",
    "power_loss",
    "sigkill",
)
