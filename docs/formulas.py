"""Formulas of the pages as MathML, when the site is built: browsers draw them, and nothing is fetched."""

import html
import re
from typing import Any

from latex2mathml.converter import convert

_FORMULA = re.compile(r'<div class="arithmatex">\\\[(.*?)\\\]</div>', re.DOTALL)


def on_page_content(content: str, **_: Any) -> str:
    """What pymdownx.arithmatex found between `$$`, drawn."""
    return _FORMULA.sub(lambda found: _drawn(html.unescape(found[1])), content)


def _drawn(formula: str) -> str:
    return f'<div class="formula">{convert(" ".join(formula.split()), display="block")}</div>'
