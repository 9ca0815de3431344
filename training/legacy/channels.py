"""How a legacy model orders the channels of its image: by a slice that reverses them, or by stacking picked ones."""

from training.legacy.calls import IMAGE, Call
from training.legacy.nodes import Pick
from training.legacy.refusal import refuse
from training.legacy.translation import LAST_AXIS, PICK

_REVERSED = (2, 1, 0)


def is_pick(call: Call) -> bool:
    """Whether a call takes one channel alone, which says nothing until others are stacked beside it."""
    return call.kind == PICK and Pick(None) not in call.operands


def order_of(call: Call, calls: tuple[Call, ...]) -> tuple[int, tuple[int, ...]]:
    """The number of the call whose channels are ordered, and their order.

    Raises:
        Refused: something else is sliced or stacked.
    """
    match call.operands:
        case (int(source), Pick(channel=None)) if call.kind == PICK:
            return source, _REVERSED
    order = []
    sources = set()
    for each in call.operands:
        match calls[each].operands if isinstance(each, int) and each != IMAGE and is_pick(calls[each]) else ():
            case (int(source), Pick(channel=int(channel))):
                sources.add(source)
                order.append(channel)
            case _:
                refuse(f"its layer {call.title} slices or stacks something that is not rebuilt")
    if len(sources) != 1 or call.config.get("axis", -1) not in LAST_AXIS:
        refuse(f"its layer {call.title} stacks more than channels of one image")
    return sources.pop(), tuple(order)
