"""Every benchmark, one after the other; exit code 1 when one exceeds its budget."""

from __future__ import annotations

import importlib
import pkgutil
import sys

import benchmarks

if __name__ == "__main__":
    failed = []
    for found in pkgutil.iter_modules(benchmarks.__path__):
        main = None if found.name.startswith("_") else getattr(importlib.import_module(f"benchmarks.{found.name}"), "main", None)
        if main:
            print(f"\n== {found.name}", flush=True)
            failed += [found.name] if main() else []
    sys.exit(f"over budget: {', '.join(failed)}" if failed else 0)
