"""Logging and OpenTelemetry."""
