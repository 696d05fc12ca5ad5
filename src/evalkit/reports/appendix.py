"""How a report was made: hashes, versions, rules, and what they kept back."""

from collections import Counter

from evalkit.reports.tables import grid

_SIMPLE = ("site", "data_through", "seed")


def appendix(payloads, strings, language, meta):
    """Return the facts and tables of a page's last section.

    Parameters
    ----------
    payloads : sequence of mapping
        Everything released on the page.

    Returns
    -------
    dict
        ``facts`` (name, text), ``tables`` (HTML) and ``not_exported`` (sentence).
    """
    def say(key, **values):
        return strings.say(key, language, **values)

    records = [payload["provenance"] for payload in payloads]
    return {"facts": _facts(payloads, records, say), "tables": _tables(payloads, records, say),
            "not_exported": _not_exported(meta["n_not_exported"], say)}


def _facts(payloads, records, say):
    facts = [(say(f"provenance_{name}"), _joined(record[name] for record in records)) for name in _SIMPLE]
    studies = (f"{record['study']} {record['study_sha256']}".strip() for record in records)
    facts.append((say("provenance_study"), _joined(studies)))
    versions = {f"{name} {version}" for record in records for name, version in record["versions"].items()}
    facts.append((say("provenance_versions"), ", ".join(sorted(versions))))
    profiles = (_profile(payload["profile"], say) for payload in payloads)
    facts.append((say("provenance_profile"), _joined(profiles)))
    facts.append((say("provenance_suppressed"), _suppressed(payloads, say)))
    return [(name, text) for name, text in facts if text]


def _joined(texts):
    return "; ".join(dict.fromkeys(str(text) for text in texts if text))


def _profile(profile, say):
    text = say("profile_text", **profile)
    return text if profile["is_verified"] else f"{text} {say('profile_unverified')}"


def _suppressed(payloads, say):
    rules = Counter()
    for payload in payloads:
        rules.update(payload["suppressed"]["rules"])
    return ", ".join(say(f"rule_{rule}", n=n) for rule, n in sorted(rules.items())) or say("suppressed_none")


def _tables(payloads, records, say):
    inputs = sorted({(file, digest) for record in records for file, digest in record["inputs"].items()})
    outputs = [(f"{payload['name']}.json", payload.get("sha256", "")) for payload in payloads]
    found = (("provenance_inputs", "provenance_file", inputs), ("outputs", "output", outputs))
    digest = say("provenance_hash")
    return [{"name": say(name), "html": grid(say(name), [say(first), digest], body, keys=True)}
            for name, first, body in found if body]


def _not_exported(n, say):
    return say("all_exported") if n == 0 else say("not_exported_one") if n == 1 else say("not_exported", n=n)
