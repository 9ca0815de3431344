"""The child: reads one order from standard input, compiles, says in its exit status how it went."""

import json
import os
import resource
import sys
import threading

from services.compiler import OUT_OF_MEMORY, REFUSED
from services.errors import BundleRefused


def main() -> int:
    """Carry out one order."""
    order = json.loads(sys.stdin.readline())
    threading.Thread(target=_stop_with_parent, daemon=True).start()
    limit = order["memory_mb"] * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    try:
        # Only now, so that the limit holds while TensorFlow maps its libraries.
        from services.compiler.conversion import convert  # noqa: PLC0415

        convert(order["weights"], order["manifest"], order["target"])
    except BundleRefused as refused:
        sys.stdout.write(f"{refused}\n")
        return REFUSED
    except MemoryError:
        return OUT_OF_MEMORY
    return 0


def _stop_with_parent() -> None:
    sys.stdin.read()
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
