"""What workflows and steps do, at the public surface: definitions, numbering, retries, unwinding, values."""
