"""The sum in docs/scaling.md adds up."""

import re
from pathlib import Path

import pytest

_DOC = (Path(__file__).parents[1] / "docs" / "scaling.md").read_text()
_SUM = _DOC.partition("<!-- sum -->")[2].partition("<!-- /sum -->")[0]
_ROWS = re.findall(
    r"^\| (.+) \| ([\d,.]+) (\w+) \| ([\d,]+)(?: /s)? \| ([\d,.]+) (\w+) \|$", _SUM, flags=re.MULTILINE
)
_FACTORS = {("KB", "GB"): 1e-6, ("us", "cores"): 1e-6, ("bytes", "GB"): 1e-9}


def _number(text: str) -> float:
    return float(text.replace(",", ""))


def test_each_row_is_a_product() -> None:
    """What one costs, times how many, is what stands at the end of the row."""
    assert len(_ROWS) == _SUM.count("\n") - 3
    for label, cost, unit, times, made, result in _ROWS:
        product = _number(cost) * _number(times) * _FACTORS[unit, result]
        assert _number(made) == pytest.approx(product, abs=0.051 if product < 100 else 0.51), label
