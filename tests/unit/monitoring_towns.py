"""Small towns written as raw files, so that the figures of the source documents come out of the door."""

import csv
import datetime as dt
from dataclasses import dataclass, field
from types import SimpleNamespace

from evalkit import contract, spec

# DREAM codes: cash benefit (activity-ready), education benefit (2014), integration benefit (2015-09).
CASH, EDUCATION, INTEGRATION, READY = "730", "720", "160", "130"
OLD = dt.date(2011, 1, 3)
END = dt.date(2018, 7, 2)
_SINCE = {CASH: OLD, READY: OLD, EDUCATION: dt.date(2014, 1, 6), INTEGRATION: dt.date(2015, 9, 7)}
_HEADS = {
    "person": ("person_id", "birth_year", "sex", "ancestry"),
    "residence": ("person_id", "municipality", "start", "end"),
    "benefit": ("person_id", "code", "start", "end"),
    "activity": ("person_id", "activity_id", "type", "start", "end"),
    "visitation": ("person_id", "start", "end", "category"),
    "exemption": ("person_id", "start", "end", "reason"),
    "availability": ("person_id", "start", "end", "status"),
    "sanction": ("person_id", "start", "end", "kind"),
    "integration_programme": ("person_id", "start", "end"),
    "rehabilitation": ("person_id", "step", "date"),
    "case_review": ("person_id", "date", "decision"),
    "enrolment": ("person_id", "project", "start", "end", "outcome"),
    "closure": ("person_id", "date", "reason"),
    "income_month": ("person_id", "month", "wage_dkk", "hours"),
}


@dataclass
class Town:
    """Rows of raw tables; `read` writes the files and takes them in by the contract's door."""

    municipality: str
    rows: dict = field(default_factory=dict)
    n_people: int = 0

    def add(self, table, *row):
        """Add one row to a table; a table that gets none is still delivered when named with no row."""
        self.rows.setdefault(table, [])
        if row:
            self.rows[table].append(row)

    def person(self):
        """Add somebody who lives here and return the pseudonym."""
        self.n_people += 1
        person = f"p-{self.n_people:04d}"
        self.add("person", person, 1975, "FM"[self.n_people % 2], "danish")
        self.add("residence", person, self.municipality, "2005-01-03", "")
        return person

    def supported(self, code, *, since=OLD, until=END):
        """Add a person on a benefit from ``since``; before the benefit existed, on cash benefit."""
        person, start = self.person(), max(since, _SINCE[code])
        if since < start:
            self.add("benefit", person, CASH, since, start)
        self.add("benefit", person, code, start, until)
        return person

    def active(self, person, kind, start, end=""):
        """Add an activity."""
        self.add("activity", person, f"a{len(self.rows.get('activity', [])):04d}", kind, start, end)

    def read(self, folder):
        """Write one csv a table and read them."""
        # Somebody who left long ago opens the window of the data before everybody else's first week.
        first = self.person()
        self.add("benefit", first, CASH, dt.date(2010, 1, 4), dt.date(2010, 1, 11))
        sources = []
        for table, rows in self.rows.items():
            path = folder / f"{table}.csv"
            with path.open("w", encoding="utf-8", newline="") as handle:
                csv.writer(handle).writerows([_HEADS[table], *rows])
            sources.append({"path": path, "dialect": "csv", "table": table, "origin": "simulated"})
        return contract.read(sources)


def site(municipality):
    """Return the two facts about a site that the monitoring questions need."""
    return SimpleNamespace(municipality=municipality, programme_start=dt.date(2015, 1, 5))


def study(**changes):
    """Return the shipped monitoring study, with changes."""
    from dataclasses import replace
    return replace(spec.load_study("analysis/monitoring.yaml"), **changes)


def hjoerring():
    """74 activity-ready persons over five years in June 2018, four without an offer in a year (S01, S02)."""
    town = Town("Hjørring")
    for k in range(74):
        person = town.supported((CASH, EDUCATION, INTEGRATION)[k % 3])
        if k % 3 == 2:
            town.add("visitation", person, "2016-01-01", "", "ACTIVITY_READY")
        if k >= 4:
            # The last begins on the last day of the window, the first ended on its first day.
            town.active(
                person, "PRAKTIK", "2018-06-30" if k == 73 else "2017-05-01", "" if k == 73 else "2017-07-02"
            )
    town.active("p-0001", "PRAKTIK", "2017-01-02", "2017-07-01")
    town.active("p-0002", "PRAKTIK", "2018-07-01")
    town.active("p-0003", "MENTOR", "2018-01-01")
    for _ in range(40):
        town.supported(CASH, since=dt.date(2014, 1, 6))
        town.supported(READY)
    return town


# Current offers of the long cases (S05-S07): the tables of the letter.
OFFERS = {
    EDUCATION: {"NONE": 6, "VEJL_OPK": 1, "MENTOR": 5, "PRAKTIK": 6},
    CASH: {"NONE": 44, "LOENTIL": 1, "VEJL_OPK": 7, "MENTOR": 10, "PRAKTIK": 15, "NYTTE": 1},
    INTEGRATION: {"NONE": 5, "MENTOR": 4, "PRAKTIK": 4},
}
CASES = {CASH: 369, EDUCATION: 195, INTEGRATION: 155}


def syddjurs():
    """Cases over five years by benefit and their current offers (S04-S07)."""
    town = Town("Syddjurs")
    town.add("exemption")
    for code, offers in OFFERS.items():
        for kind, n in offers.items():
            for k in range(n):
                person = town.supported(code)
                if kind != "NONE":
                    town.active(person, kind, "2018-03-01", "2018-09-01" if k % 2 else "")
                    # Mentor support beside another offer must not hide the offer.
                    town.active(person, "MENTOR", "2018-01-01")
        for _ in range(CASES[code] - sum(offers.values())):
            town.supported(code, since=dt.date(2016, 1, 4))
    return town


def horsens():
    """1,000 activity-ready persons touched as published by month in 2017, 64 without effort (S11-S13)."""
    town = Town("Horsens")
    people = [town.supported(CASH, since=dt.date(2015, 1, 5), until=dt.date(2018, 1, 1)) for _ in range(1000)]
    for person in people[64:84]:
        town.add("exemption", person, "2017-11-01", "", "SICKNESS")
    for month, tenths in enumerate((218, 236, 235, 225, 236, 240, 183, 224, 278, 444), start=1):
        for person in people[84:84 + tenths]:
            town.active(person, "PRAKTIK", f"2017-{month:02d}-06", f"2017-{month:02d}-20")
    for person in people[84 + 444:]:
        town.active(person, "MENTOR", "2017-03-01")
    return town


def project():
    """29 newcomers in a project; status on 30 June 2018, and two who leave benefit in August (S09)."""
    town, after = Town("Syddjurs"), dt.date(2018, 12, 31)
    since, out = dt.date(2016, 1, 4), dt.date(2018, 5, 7)
    for k in range(29):
        until = out if k < 6 else dt.date(2018, 8, 6) if k < 8 else after
        person = town.supported(INTEGRATION, since=since, until=until)
        town.add(
            "enrolment",
            person,
            "Newcomers",
            "2017-11-01",
            "2019-01-01",
            "SELF_SUPPORT" if k in (6, 7) else "",
        )
        if k < 6:
            town.add("closure", person, out, "RULE_225H" if k == 5 else "SELF_SUPPORT")
        if 8 <= k < 13:
            town.add("income_month", person, "2018-06-01", 4000, 30)
    # Closed in August: later than the status.
    town.add("closure", "p-0007", "2018-08-06", "SELF_SUPPORT")
    town.add("closure", "p-0008", "2018-08-06", "SELF_SUPPORT")
    return town
