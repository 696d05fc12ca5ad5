"""The scanner finds what is hidden, in every layer, and leaves clean pages alone."""

import base64
import html
import urllib.parse

import pytest

from evalkit.disclosure import scan

ID = "q7k2mx9"
IDS = {ID, "0101701234", "17"}


def kinds(content, ids=IDS):
    return {finding.kind for finding in scan(content, ids)}


@pytest.mark.parametrize("content", [
    f"<p>{ID}</p>", f"<p>{ID.upper()}</p>", f"see_{ID}_there", "".join(f"&#{ord(c)};" for c in ID),
    f"<b>{ID[:3]}</b>{ID[3:]}", f"{ID[:4]}\u200b{ID[4:]}", f"<!-- {ID} -->", f'<img alt="{ID}">',
    base64.b64encode(f"row {ID}".encode()).decode(),
    f'<a href="data:text/csv;base64,{base64.b64encode(ID.encode()).decode()}">',
    base64.b64encode(base64.b64encode(f"inner {ID}".encode())).decode(),
    urllib.parse.quote(ID, safe="").replace("q", "%71"), "\\u0071" + ID[1:],
    f'<svg><path d="M0 0"/><text x="1">{ID}</text></svg>'.encode(),
], ids=range(14))
def test_known_id_is_found_in_every_layer(content):
    assert "person_id" in kinds(content)


@pytest.mark.parametrize("content",
                         ["010170-1234", "0101701234", "610170 1234", html.escape("<010170&#45;1234>")])
def test_cpr_shape_is_found(content):
    assert "cpr_shape" in kinds(content, set())


@pytest.mark.parametrize("content",
                         ["9999999999", "320170-1234", "0.0201701234", "12345678", "ab" * 32, "17 of 20"])
def test_what_is_no_birthday_or_too_short_is_left_alone(content):
    assert kinds(content) == set()


@pytest.mark.parametrize(("content", "kind"), [
    ("Traceback (most recent call last)", "traceback"), ('File "a.py", line 3', "traceback"),
    ("/home/anna/data.csv", "machine_path"), (r"C:\Users\anna", "machine_path"),
    (r"\\server\share\x", "machine_path"),
    ("file:///x", "machine_path"), ('<img src="https://a.dk/x.png">', "network_address"),
    ("@import 'x.css'", "network_address"), ("url(//cdn.dk/x)", "network_address"),
    ("<iframe>", "network_address"),
    ("<script>1</script>", "script"), ('<p onclick="x()">', "script")])
def test_other_findings(content, kind):
    assert kind in kinds(content, set())


def test_finding_never_holds_the_value():
    for finding in scan(f"<p>{ID} 0101701234</p>", IDS):
        assert ID not in repr(finding)
        assert "0101701234" not in repr(finding)


def test_id_with_odd_signs_is_found():
    assert kinds("<td>12/34:567</td>", {"12/34:567"}) == {"person_id"}
