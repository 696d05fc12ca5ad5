"""The data dictionary: what the columns, keys and files of the bundle mean."""

from evalkit.reports.strings import LANGUAGES
from evalkit.reports.tables import grid
from evalkit.result import COLUMNS


def dictionary_tables(entries, language, strings):
    """Return the tables of the data dictionary as (heading, HTML).

    Parameters
    ----------
    entries : sequence of mapping
        ``notebook``, ``title``, ``payloads`` and ``strings`` of each report.
    language : {"da", "en"}
    strings : Strings
        The common texts.
    """
    def say(key, **values):
        return strings.say(key, language, **values)

    columns = [[name, say(f"meaning_{name}")] for name in COLUMNS]
    files = [[f"bundle/{entry['notebook']}/{payload['name']}", _title(payload, entry["strings"], language)]
             for entry in entries for payload in entry["payloads"]]
    return [
        _table(say("dictionary_columns"), [say("dictionary_column"), say("dictionary_meaning")], columns),
        _table(say("dictionary_files"), [say("provenance_file"), say("output")], files),
        _table(say("dictionary_keys"), [say("dictionary_key"), say("dictionary_label")],
               _keys(entries, language)),
    ]


def _table(name, header, body):
    return name, grid(name, header, body, keys=True)


def _title(payload, strings, language):
    entry = strings.result(payload["name"])
    return strings.label(entry["title"] if "title" in entry else payload["estimand"]["name"], language)


def _keys(entries, language):
    """Return the keys that have a label, with their label; names of places are their own."""
    labels = {key: entry["strings"] for entry in entries for payload in entry["payloads"]
              for row in payload["rows"] for key in row[:2] if key}
    named = {key: strings for key, strings in labels.items()
             if any(strings.label(key, one) != key for one in LANGUAGES)}
    return [[key, named[key].label(key, language)] for key in sorted(named)]
