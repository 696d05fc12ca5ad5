"""The door in: `check` a delivery against ``data_schema/``, `read` it into typed `Tables`."""

from evalkit.contract.check import CheckReport, check
from evalkit.contract.identifiers import known_ids
from evalkit.contract.read import Tables, read

__all__ = ["CheckReport", "Tables", "check", "known_ids", "read"]
