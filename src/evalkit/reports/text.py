"""Numbers and sentences in Danish and English, made from Released objects."""

import re
from decimal import ROUND_HALF_UP, Decimal

NBSP = "\u00a0"
MINUS = "\u2212"
_MARKS = {"da": str.maketrans(",.", ".,"), "en": str.maketrans("", "")}
# A number and its unit stay on one line.
_UNBROKEN = re.compile(r"(?<=\d) (?=%|mio\.|kr\.)")
_FIELD = re.compile(r"\{(?P<path>\w+(?:\.[^{}:]+)*)(?::(?P<code>[^{}]+))?\}")
_ORDER = ("first", "second")
# Ratios are compared with 1, everything else with 0.
_RATIOS = {"ratio", "hazard_ratio", "rate_ratio", "odds_ratio", "time_ratio"}
# unit -> decimals of its values, and whether they are shown in per cent.
_DECIMALS = {"share": 1, "percent": 1, "weeks": 1, "persons": 0, "rows": 0, "dkk": 0, "score": 2, "ratio": 2,
             "rank": 0}


def number(value, decimals, language, signed=False):
    """Write a number in the language's own form, halves rounded away from zero.

    Parameters
    ----------
    value : str, float or None
        A decimal text of a payload, or a number; None gives a dash.
    decimals : int
    language : {"da", "en"}
    signed : bool
        Write the plus sign as well.

    Examples
    --------
    >>> number("-1234.55", 1, "da"), number("0.25", 1, "en", signed=True)
    ('−1.234,6', '+0.3')
    """
    if value is None:
        return "–"
    rounded = Decimal(str(value)).quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)
    sign = MINUS if rounded < 0 else "+" if signed and rounded > 0 else ""
    return sign + f"{abs(rounded):,.{decimals}f}".translate(_MARKS[language])


def percent(value, decimals, language, signed=False):
    """Write a share in per cent.

    Examples
    --------
    >>> percent("0.125", 1, "da") == "12,5\\N{NO-BREAK SPACE}%", percent(0.5, 0, "en")
    (True, '50%')
    """
    if value is None:
        return "–"
    return number(Decimal(str(value)) * 100, decimals, language, signed) + per_cent_sign(language)


def per_cent_sign(language):
    """Return the sign as it is written after a number."""
    return f"{NBSP}%" if language == "da" else "%"


def million(value, decimals, language, signed=False):
    """Write an amount of kroner in millions.

    Examples
    --------
    >>> million("-12400000", 1, "en")
    'DKK\xa0−12.4\xa0million'
    """
    if value is None:
        return "–"
    amount = number(Decimal(str(value)) / 1_000_000, decimals, language, signed).replace(" ", NBSP)
    return f"{amount}{NBSP}mio.{NBSP}kr." if language == "da" else f"DKK{NBSP}{amount}{NBSP}million"


def in_unit(value, unit, language, signed=False, decimals=None):
    """Write a value by the unit of its estimand: shares in per cent, kroner from a million up in millions.

    ``decimals`` is for units that have no number of decimals of their own.
    """
    if value is None:
        return "–"
    if decimals is None or unit in _DECIMALS:
        decimals = _DECIMALS.get(unit, _telling(value))
    if unit == "share":
        return percent(value, _as_given(value, decimals), language, signed)
    if unit == "percent":
        return number(value, decimals, language, signed) + per_cent_sign(language)
    if unit == "dkk" and abs(Decimal(str(value))) >= 1_000_000:
        return million(value, 1, language, signed)
    return number(value, decimals, language, signed)


def _telling(value):
    """Return the decimals that say something, at most two."""
    return min(2, len(f"{Decimal(str(value)):f}".partition(".")[2].rstrip("0")))


def _as_given(share, decimals):
    """Return the decimals of a percentage that a share's own decimals allow."""
    return max(0, min(decimals, len(str(share).partition(".")[2]) - 2))


def unit_of(payload, term):
    """Return the unit of a row; an estimand may give one unit for each term."""
    unit = payload["estimand"].get("unit", "")
    return unit if isinstance(unit, str) else unit.get(term, unit.get("", ""))


def reference_of(unit):
    """Return the value that means "no difference"."""
    return 1.0 if unit in _RATIOS else 0.0


def rows_of(payload):
    """Return the rows of a payload as mappings of decimal texts."""
    return [dict(zip(payload["columns"], row, strict=True)) for row in payload["rows"]]


def find_row(payload, selector):
    """Return the first row that a selector names, or None.

    On a curve, ``time_weeks`` names the last released step at or before it; ``last`` is the end. The groups
    ``first`` and ``second`` are the term's own in their order (waves of a survey): a site names them itself.
    """
    chosen = [row for row in rows_of(payload) if row["term"] == str(selector.get("term", row["term"]))]
    group = selector.get("group")
    if group in _ORDER:
        group = dict(zip(_ORDER, sorted({row["group"] for row in chosen}), strict=False)).get(group)
        chosen = chosen if group is not None else []
    chosen = [row for row in chosen if group is None or row["group"] == str(group)]
    time = selector.get("time_weeks")
    if time is None:
        return chosen[0] if chosen else None
    if time == "last":
        return chosen[-1] if chosen else None
    timed = [row for row in chosen if row["time_weeks"] is not None]
    if payload["kind"] == "curve":
        before = [row for row in timed if float(row["time_weeks"]) <= float(time)]
        return before[-1] if before else None
    return next((row for row in timed if float(row["time_weeks"]) == float(time)), None)


def title_of(payload, strings, language):
    """Return a result's title; its estimand's name where the catalogue has none."""
    entry = strings.result(payload["name"])
    return strings.label(entry["title"] if "title" in entry else payload["estimand"]["name"], language)


def sentence(payload, strings, language):
    """Return the sentence that fits a released result, its numbers filled in.

    The first sentence whose ``when`` holds is used: ``positive negative unclear suppressed withheld`` judge
    the first named row, ``partly`` asks whether another named row is suppressed, ``d.key`` and ``not d.key``
    ask a diagnostic (0 and missing are false). A withheld or suppressed result never falls to ``otherwise``:
    without a sentence of its own it gets the common one.
    """
    entry = strings.result(payload["name"])
    rows = {name: find_row(payload, selector) for name, selector in (entry.get("rows") or {}).items()}
    first = next(iter(rows.values()), None)
    state = condition(payload, first, bool(rows))
    has_gaps = any(condition(payload, row) == "suppressed" for row in rows.values())
    for choice in entry.get("sentences") or ():
        if _holds(choice["when"], state, payload["diagnostics"], has_gaps):
            return fill(choice[language], payload, rows, strings, language)
    if state == "withheld":
        return strings.say("sentence_withheld", language, reason=_reason(payload, strings, language))
    if state == "suppressed":
        return strings.say("sentence_suppressed", language, min_n=payload["profile"]["min_n"])
    return ""


def _reason(payload, strings, language):
    """Return why a result is withheld, with the tables that were not delivered, if that is why."""
    reason = strings.label(payload["withheld"], language)
    missing = [strings.label(table, language) for table in payload["diagnostics"].get("missing_tables") or ()]
    return f"{reason} ({', '.join(missing)})" if missing else reason


def _holds(when, state, diagnostics, has_gaps):
    if when == state:
        return True
    if state in ("withheld", "suppressed"):
        return False
    if when == "partly":
        return has_gaps
    turned, key = when.startswith("not "), when.removeprefix("not ")
    if key.startswith("d."):
        return turned != (diagnostics.get(key[2:]) not in (None, False, "", "0"))
    return when == "otherwise"


def condition(payload, row, asked=True):
    """Return the state of a result: withheld, suppressed, positive, negative, unclear or otherwise."""
    if payload["withheld"]:
        return "withheld"
    if not asked:
        return "otherwise"
    if row is None or (row["estimate"] is None and row["n_persons"] is None):
        return "suppressed"
    if row["conf_low"] is None or row["conf_high"] is None:
        return "otherwise"
    nothing = reference_of(unit_of(payload, row["term"]))
    if float(row["conf_low"]) > nothing:
        return "positive"
    return "negative" if float(row["conf_high"]) < nothing else "unclear"


def fill(template, payload, rows, strings, language):
    """Fill ``{row.column:code}``, ``{d.key:code}`` and ``{e.key:code}`` of a sentence."""
    def value(match):
        source, *path = match["path"].split(".")
        found = {"d": payload["diagnostics"], "e": payload["estimand"]}.get(source, rows.get(source))
        for step in path:
            found = found.get(step) if isinstance(found, dict) else None
        return _coded(found, match["code"], payload, strings, language)

    filled = one_stop(_UNBROKEN.sub(NBSP, _FIELD.sub(value, template)))
    return filled[:1].upper() + filled[1:]


def one_stop(text):
    """Return a text whose amounts in "kr." end a sentence with one full stop.

    Examples
    --------
    >>> one_stop("I alt 5 kr..")
    'I alt 5 kr.'
    """
    return text.replace("kr..", "kr.")


def _coded(value, code, payload, strings, language):
    if code is None:
        return strings.label(value, language) if isinstance(value, str | dict) else "–"
    if code == "n":
        few = strings.say("fewer_than", language, min_n=payload["profile"]["min_n"])
        return few if value is None else number(value, 0, language)
    match = re.fullmatch(r"(?P<kind>%|mio)?(?P<sign>[+|]?)(?P<decimals>\d)", code)
    match = match or re.fullmatch(r"(?P<sign>[+|]?)(?P<kind>%|mio)?(?P<decimals>\d)", code)
    if match is None:
        raise ValueError(f"unknown format code {code!r}; use 0..9, +1, |1, %0, mio1 or n")
    if match["sign"] == "|" and value is not None:
        value = abs(Decimal(value))
    write = {"%": percent, "mio": million}.get(match["kind"], number)
    decimals = int(match["decimals"])
    if match["kind"] == "%" and value is not None:
        decimals = _as_given(value, decimals)
    return write(value, decimals, language, match["sign"] == "+")
