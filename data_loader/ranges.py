"""The type of a (low, high) pair in YAML that a sampler draws from."""

from typing import Annotated

from pydantic import AfterValidator


def range_within(minimum, maximum):
    """Type of a pair (low, high) with minimum <= low <= high <= maximum; anything else is a configuration error."""

    def check(pair):
        if not minimum <= pair[0] <= pair[1] <= maximum:
            raise ValueError(f"is {list(pair)}; expected [low, high] with {minimum:g} <= low <= high <= {maximum:g}")
        return pair

    return Annotated[tuple[float, float], AfterValidator(check)]
