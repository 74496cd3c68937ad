"""JSON text from JSON data, by the encoder of the standard library."""

from __future__ import annotations

import json
import json.encoder
from collections.abc import Callable


def _make_writer() -> Callable[[object], str]:
    # Cycles were looked for already; NaN is no JSON; text stays readable, so it is not escaped to ASCII.
    encoder = json.JSONEncoder(ensure_ascii=False, check_circular=False, allow_nan=False, separators=(",", ":"))
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:
        return encoder.encode
    quote = json.encoder.encode_basestring
    try:
        # JSONEncoder.encode builds this very object anew on each call, which costs as much as a small value.
        chunks = make(None, encoder.default, quote, None, ":", ",", False, False, False)
    except TypeError:  # another signature in some later Python
        return encoder.encode
    return lambda value: "".join(chunks(value, 0))


write_json = _make_writer()
