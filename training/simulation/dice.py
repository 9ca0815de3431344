"""Choices that a drawing leaves to its random numbers."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

from numpy.random import Generator

Rng = Generator
Choice = TypeVar("Choice")


def chance(rng: Rng, share: float) -> bool:
    """Whether something happens that happens in this share of cases."""
    return bool(rng.random() < share)


def pick(rng: Rng, choices: Sequence[Choice]) -> Choice:
    """One of some things, each as likely as the others; repeat one to make it likelier."""
    return choices[int(rng.integers(len(choices)))]


def weighted(rng: Rng, shares: Mapping[Choice, float]) -> Choice:
    """One of some things, each with its share; the last one takes what is missing to a whole."""
    left = float(rng.random())
    *others, last = shares
    for thing in others:
        left -= shares[thing]
        if left < 0:
            return thing
    return last


def between(rng: Rng, low: float, high: float) -> float:
    """A number, anywhere in the interval alike."""
    return float(rng.uniform(low, high))


def count(rng: Rng, low: int, high: int) -> int:
    """A whole number; both ends can come up."""
    return int(rng.integers(low, high + 1))
