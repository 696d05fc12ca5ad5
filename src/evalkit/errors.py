"""What can go wrong, by kind: each kind has its own exit code on the command line.

A message says where (file, table, column), what was found (rule and counts, never a value),
what was expected, and what to do next. Programmers' mistakes stay ``TypeError`` and ``ValueError``.
"""


class EvalkitError(Exception):
    """Base of every error that a user can do something about."""

    exit_code = 1


class ContractError(EvalkitError):
    """The delivered data break the contract in ``data_schema/``."""

    exit_code = 3


class SpecError(EvalkitError):
    """A study, site, profile or code list is not well formed."""

    exit_code = 4


class CohortError(EvalkitError):
    """A cohort is empty or its definition contradicts itself."""

    exit_code = 5


class EstimationError(EvalkitError):
    """An estimate is not identified or the computation did not converge."""

    exit_code = 6


class DisclosureError(EvalkitError):
    """Something may not leave the house."""

    exit_code = 7


class RunError(EvalkitError):
    """A run cannot start, was interrupted, or one of its steps failed."""

    exit_code = 8
