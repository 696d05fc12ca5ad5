"""Every expected file was made from the inputs that the tests build now."""

import pytest
import reference_data

FILES = sorted(path.name for path in reference_data.EXPECTED.iterdir())
# R's own data set, read by name; published panels, which are not committed.
WITHOUT_INPUT, ELSEWHERE = {"ordinal.csv"}, {"california_prop99.csv", "basque.csv"}


@pytest.mark.parametrize("file", FILES)
def test_r_read_the_same_inputs(file):
    stored = reference_data.hashes(reference_data.EXPECTED / file)
    assert bool(stored) == (file not in WITHOUT_INPUT)
    here = {name: stored[name] for name in set(stored) - ELSEWHERE}
    assert here == {name: reference_data.sha256(name) for name in here}, f"make {file} again"


def test_every_expected_file_has_its_script():
    scripts = {path.stem for path in (reference_data.HERE / "r").glob("*.R")} - {"cases"}
    # panel.R makes the numbers of weighting, survival.R a file for each case.
    assert {file.split(".")[0] for file in FILES if not file.startswith("survival_")} == (
        scripts - {"survival"} | {"weighting"}
    )
