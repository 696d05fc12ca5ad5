"""The identifiers in a site's files, for the last look at what leaves: none of them may be in a page."""

from evalkit.contract import schema as contract
from evalkit.contract.deliver import load


def known_ids(sources):
    """Return every identifier of a person, caseworker or respondent in the delivered files.

    Parameters
    ----------
    sources : sequence of mapping
        As for `check`; files that break the contract are read as far as they can be.

    Returns
    -------
    frozenset of str
    """
    loaded = load(sources)
    columns = [(part.relation, item.name) for part in loaded.parts
               for item in contract.load(part.table).fields if item.sdc == "identifier"]
    query = " union ".join(f'select "{name}" from {relation} where "{name}" is not null'
                         for relation, name in columns)
    return frozenset(value for (value,) in loaded.con.execute(query).fetchall()) if query else frozenset()
