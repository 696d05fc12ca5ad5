"""What a released result says that it rests on: what its evaluation named, and no more."""

from dataclasses import replace

import pytest

from evalkit import notebook
from evalkit.contract.deliver import ORIGINS, _origin
from evalkit.result import Estimand, Provenance, Result, tidy

FILES = {"benefit": "simulated", "price": "assumed", "ledger": "source", "municipality_period": "real"}


@pytest.mark.parametrize(("named", "rests_on"), [
    ((), ()),
    (("benefit",), ("simulated",)),
    (("benefit", "price", "ledger"), ("assumed", "simulated", "source")),
    (("real",), ("real",)),
    (("published",), ("source",)),
    (("ledger", "not_delivered"), ("source",))])
def test_a_result_rests_on_the_origins_that_were_named(named, rests_on):
    assert notebook._rests_on(named, FILES) == rests_on


def test_a_result_that_names_none_makes_no_claim(example_site, monkeypatch, tmp_path):
    shown = []
    monkeypatch.setattr(notebook, "_display", lambda released, *_: shown.append(released))
    run = notebook.open(example_site.path)
    run.site = replace(run.site, private=tmp_path)
    silent = Result(kind="counts", table=tidy(term=["all"], n_persons=[60]),
                    estimand=Estimand(name="persons"))
    run.show(silent, name="silent")
    run.show(replace(silent, provenance=Provenance(rests_on=("benefit",))), name="spoken")
    assert [list(one.payload["provenance"]["rests_on"]) for one in shown] == [[], ["simulated"]]


def test_a_table_of_several_files_is_called_by_the_least_sure():
    assert ORIGINS == ("simulated", "assumed", "real", "source")
    assert _origin(None, "source") == "source"
    assert _origin("source", "real") == "real"
    assert _origin("real", "assumed") == "assumed"
    assert _origin("assumed", "simulated") == "simulated"
