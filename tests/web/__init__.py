"""The HTTP side: CloudEvents, workflows, streams, and everything that must be refused."""
