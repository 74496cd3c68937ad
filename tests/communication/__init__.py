"""Messages, events, streams and CloudEvents, as users call them."""
