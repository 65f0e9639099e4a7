# SPDX-License-Identifier: Apache-2.0
"""Writing golden files: compact JSON that says what made it and with which package versions."""

import json
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

GOLDEN = Path(__file__).resolve().parent.parent / "golden"
MODELS = GOLDEN / "models"


def header(script, *packages):
    """The two first fields of every golden file."""
    versions = {"python": platform.python_version()}
    for package in packages:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = None
    return {"made_by": "tests/reference/" + Path(script).name, "versions": versions}


def digits(values, n):
    """A list of floats rounded to n significant digits (shortest text that carries them)."""
    return [float(f"{float(v):.{n - 1}e}") for v in values]


def write_json(path, value, ascii_only=True):
    """Compact, one line per entry of the top-level lists, so that a difference is readable."""
    def compact(v):
        return json.dumps(v, ensure_ascii=ascii_only, separators=(",", ":"))

    def rows(v, is_object):
        if is_object:
            return "{\n" + ",\n".join(compact(k) + ":" + compact(x) for k, x in v.items()) + "\n}"
        return "[\n" + ",\n".join(compact(x) for x in v) + "\n]"

    if isinstance(value, list):
        text = rows(value, False)
    else:
        parts = []
        for key, v in value.items():
            nested = isinstance(v, list) and len(v) > 0 and isinstance(v[0], (list, dict))
            big_object = isinstance(v, dict) and key not in ("versions",) and len(v) > 0
            body = rows(v, False) if nested else rows(v, True) if big_object else compact(v)
            parts.append(compact(key) + ":" + body)
        text = "{\n" + ",\n".join(parts) + "\n}"
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n", encoding="utf-8")
    print(f"{path}: {path.stat().st_size} bytes")
