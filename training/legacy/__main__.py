"""The child: reads a legacy file from standard input, tells on standard output what is in it."""

import resource
import sys

from training.legacy.contents import look
from training.legacy.inspection import MEMORY_MB, MOST_TOLD, REFUSED, SECONDS
from training.legacy.refusal import Refused


def main() -> int:
    """Tell what is in the file."""
    limits = {
        resource.RLIMIT_AS: MEMORY_MB * 2**20,
        resource.RLIMIT_CPU: SECONDS,
        resource.RLIMIT_FSIZE: MOST_TOLD,
    }
    for which, limit in limits.items():
        resource.setrlimit(which, (limit, limit))
    try:
        sys.stdout.write(look(sys.stdin.buffer).model_dump_json())
    except Refused as refused:
        sys.stdout.write(str(refused))
        return REFUSED
    except MemoryError:
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
