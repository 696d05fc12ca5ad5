"""The disclosure rules of a data holder, as plain data."""

from dataclasses import dataclass, replace

from evalkit.errors import SpecError

# True where a larger value is the stricter one.
_STRICTER_IS_LARGER = {"min_n": True, "min_events": True, "rounding_base": True, "decimals": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A dated, named set of disclosure rules.

    Attributes
    ----------
    name : str
        For instance ``municipality_5``.
    valid_from : str
        ISO date from which the holder's rules hold.
    min_n : int
        Fewest distinct persons behind a released cell.
    min_events : int
        Fewest events behind a released step of a curve or a released rate.
    rounding_base : int
        Counts are rounded to multiples of this.
    decimals : int
        Decimals kept of model estimates and curves.
    source : str
        Where the rules are written.
    is_verified : bool
        Whether the holder has confirmed them.
    """

    name: str
    valid_from: str
    min_n: int
    min_events: int
    rounding_base: int
    decimals: int
    source: str
    is_verified: bool

    def stricter(self, **rules):
        """Return a copy with stricter rules; a laxer one is refused.

        Raises
        ------
        SpecError
            If a rule is unknown or would be laxer than the holder's.
        """
        for name, value in rules.items():
            if name not in _STRICTER_IS_LARGER:
                raise SpecError(f"profile {self.name}: unknown rule {name!r}; rules are "
                                f"{', '.join(_STRICTER_IS_LARGER)}")
            held = getattr(self, name)
            if (value < held) if _STRICTER_IS_LARGER[name] else (value > held):
                raise SpecError(f"profile {self.name}: {name} = {value} is laxer than the holder's {held}; "
                                "only stricter is allowed")
        return replace(self, **rules)
