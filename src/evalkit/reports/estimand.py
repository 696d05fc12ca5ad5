"""What a number means: the attributes of its estimand in words."""

import re

_FIELDS = ("population", "exposure", "outcome", "summary", "intercurrent_events", "horizon_weeks", "design",
           "assumptions")
_KEY = re.compile(r"^[a-z0-9_]+$")


def meaning(payload, strings, language):
    """Return (name, text or list of texts) of each attribute that has words in this language."""
    pairs = ((field, _words(field, payload["estimand"].get(field), strings, language)) for field in _FIELDS)
    return [(strings.say(f"estimand_{field}", language), words) for field, words in pairs if words]


def _words(field, value, strings, language):
    if not value:
        return ""
    if field == "horizon_weeks":
        return strings.say("horizon", language, weeks=value)
    if field == "assumptions":
        return [words for words in (_text(one, strings, language) for one in value) if words]
    return _text(value, strings, language)


def _text(value, strings, language):
    """Return a study's text or a key's label; a key without a label says nothing to a reader."""
    words = strings.label(value, language)
    return "" if words == value and _KEY.match(value) else words
