"""The examples in docstrings run and say what they print."""

import doctest
import importlib
import pkgutil

import pytest

import evalkit

MODULES = sorted(module.name for module in pkgutil.walk_packages(evalkit.__path__, "evalkit.")
                 if module.name != "evalkit.__main__")


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name):
    result = doctest.testmod(importlib.import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert result.failed == 0


def test_there_are_examples():
    modules = map(importlib.import_module, MODULES)
    assert sum(len(test.examples) for module in modules
               for test in doctest.DocTestFinder().find(module)) > 100
