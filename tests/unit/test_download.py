"""Fetching from StatBank, against a server on this machine that answers in StatBank's form."""

import http.server
import json
import threading

import pandas as pd
import pytest

from evalkit.contract import download
from evalkit.contract.dialects import statbank
from evalkit.contract.download import download_public
from evalkit.errors import ContractError, RunError
from evalkit.files import sha256_file

NAMES = [row["name_en"] for row in statbank.municipalities()]


def areas():
    return [
        {"id": "000", "text": "All Denmark"},
        *({"id": row["code"], "text": row["name_en"]} for row in statbank.municipalities()),
    ]


INFO = {
    "LBESK69": [
        {
            "id": "TAL",
            "elimination": False,
            "values": [{"id": "1020", "text": "Employees"}, {"id": "1010", "text": "Full-time employees"}],
        },
        {"id": "BOPKOM", "elimination": True, "values": areas()},
        {
            "id": "KØN",
            "elimination": True,
            "values": [{"id": "TOT", "text": "Total"}, {"id": "M", "text": "Men"}],
        },
        {"id": "Tid", "time": True, "values": [{"id": "2015K1", "text": "2015Q1"}]},
    ],
    "FOLK1A": [
        {"id": "OMRÅDE", "elimination": True, "values": areas()},
        {"id": "Tid", "time": True, "values": [{"id": "2015K1", "text": "2015Q1"}]},
    ],
    "AUK01": [
        {"id": "OMRÅDE", "elimination": True, "values": areas()},
        {"id": "YDELSESTYPE", "elimination": False, "values": [{"id": "A", "text": "Renamed benefit"}]},
        {"id": "Tid", "time": True, "values": []},
    ],
}


class Statbank(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        table = self.path.split("/")[-1].split("?")[0]
        if self.server.failures:
            return self._answer(self.server.failures.pop(0), b"busy")
        if table not in INFO:
            return self._answer(400, json.dumps({"message": f"Table {table} does not exist"}).encode())
        return self._answer(200, json.dumps({"id": table, "variables": INFO[table]}).encode())

    def do_POST(self):
        query = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.queries.append(query)
        if self.server.content is not None:
            return self._answer(200, self.server.content)
        columns = [item["code"].upper() for item in query["variables"]]
        rows = [";".join([*columns, "INDHOLD"])]
        for k, name in enumerate(["All Denmark", *NAMES]):
            labels = {
                "TAL": "Full-time employees",
                "KØN": "Total",
                "BOPKOM": name,
                "OMRÅDE": name,
                "TID": "2015Q1",
            }
            rows.append(";".join([*(labels[column] for column in columns), str(1000 + k)]))
        return self._answer(200, b"\xef\xbb\xbf" + "\r\n".join([*rows, ""]).encode())

    def _answer(self, status, content):
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_args):
        pass


@pytest.fixture
def server():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Statbank)
    server.failures, server.queries, server.asked, server.content = [], [], [], None
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def fetch(server, folder, *tables, said=None):
    return download_public(
        tables,
        folder,
        base_url=f"http://127.0.0.1:{server.server_port}",
        wait=0.001,
        progress=(said if said is not None else []).append,
    )


def test_download_asks_for_everything_in_space_and_time_and_the_listed_selection(server, tmp_path):
    said = []
    assert fetch(server, tmp_path / "public", "lbesk69", said=said) == [tmp_path / "public" / "LBESK69.csv"]
    assert server.queries == [
        {
            "table": "LBESK69",
            "format": "CSV",
            "lang": "en",
            "variables": [
                {"code": "TAL", "values": ["1010"]},
                {"code": "BOPKOM", "values": ["*"]},
                {"code": "KØN", "values": ["TOT"]},
                {"code": "Tid", "values": ["*"]},
            ],
        }
    ]
    assert said == [f"LBESK69: {(tmp_path / 'public' / 'LBESK69.csv').stat().st_size:,} bytes"]


def test_download_keeps_the_answer_as_it_came_and_notes_it(server, tmp_path):
    fetch(server, tmp_path, "LBESK69", "FOLK1A")
    content = (tmp_path / "LBESK69.csv").read_bytes()
    assert content.startswith(b"\xef\xbb\xbfTAL;BOPKOM;") and b"\r\n" in content
    manifest = json.loads((tmp_path / "manifest.json").read_text(encoding="utf-8"))
    assert sorted(manifest) == ["FOLK1A", "LBESK69"]
    assert manifest["LBESK69"]["sha256"] == sha256_file(tmp_path / "LBESK69.csv")
    assert manifest["LBESK69"]["query"]["table"] == "LBESK69"
    assert pd.Timestamp(manifest["FOLK1A"]["fetched"]).tzinfo is not None
    assert statbank.read(tmp_path / "LBESK69.csv")["municipality"].nunique() == 98
    assert sorted(path.name for path in tmp_path.iterdir()) == ["FOLK1A.csv", "LBESK69.csv", "manifest.json"]


def test_download_tries_again_after_a_passing_fault(server, tmp_path):
    server.failures = [503, 500]
    fetch(server, tmp_path, "FOLK1A")
    assert len(server.asked) == 3 and (tmp_path / "FOLK1A.csv").exists()


def test_download_gives_up_after_four_attempts_and_says_what_to_do(server, tmp_path):
    server.failures = [503] * 9
    with pytest.raises(RunError, match=r"FOLK1A: no answer after 4 attempts \(status 503\).*internet"):
        fetch(server, tmp_path, "FOLK1A")
    assert len(server.asked) == 4 and list(tmp_path.iterdir()) == []


def test_download_of_a_table_that_does_not_exist_is_refused_at_once(server, tmp_path):
    with pytest.raises(ContractError, match="LBESK00: refused with status 400.*does not exist"):
        fetch(server, tmp_path, "FOLK1A", "LBESK00")
    assert (tmp_path / "FOLK1A.csv").exists() and len(server.asked) == 2


def test_download_refuses_a_selection_that_has_got_another_name(server, tmp_path):
    with pytest.raises(ContractError, match="AUK01:\n- variable YDELSESTYPE: neither a total nor a label"):
        fetch(server, tmp_path, "AUK01")
    assert server.queries == []


def test_download_never_replaces_a_good_file_by_a_broken_answer(server, tmp_path):
    fetch(server, tmp_path, "FOLK1A")
    good = (tmp_path / "FOLK1A.csv").read_bytes()
    for broken in (b"<html>service window</html>", "OMRÅDE;TID;INDHOLD\r\nAabenraa;2015Q1;5\r\n".encode()):
        server.content = broken
        with pytest.raises(ContractError, match="FOLK1A.csv"):
            fetch(server, tmp_path, "FOLK1A")
    assert (tmp_path / "FOLK1A.csv").read_bytes() == good
    assert sorted(path.name for path in tmp_path.iterdir()) == ["FOLK1A.csv", "manifest.json"]


def test_download_without_a_network_says_so(tmp_path, server):
    port = server.server_port
    server.server_close()
    with pytest.raises(RunError, match="Is this machine on the internet"):
        download_public(["FOLK1A"], tmp_path, base_url=f"http://127.0.0.1:{port}", wait=0.001, timeout=0.2)


def test_download_of_nothing_named_fetches_every_listed_table(server, tmp_path, monkeypatch):
    monkeypatch.setattr(
        download.statbank,
        "tables",
        lambda: [row for row in KNOWN if row["table"] in INFO and row["table"] != "AUK01"],
    )
    assert [path.name for path in fetch(server, tmp_path)] == ["FOLK1A.csv", "LBESK69.csv"]


KNOWN = statbank.tables()
