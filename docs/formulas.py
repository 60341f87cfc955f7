"""What is built into the site so that nothing is fetched: formulas as MathML, indices below the line, options in one piece."""

import html
import re
from typing import Any

_FORMULA = re.compile(r'<div class="arithmatex">\\\[(.*?)\\\]</div>', re.DOTALL)
_CELL = re.compile(r"<td\b.*?</td>", re.DOTALL)
_INDEX = re.compile(
    r"<(pre|code|math|script|style)\b.*?</\1>|<[^>]*>"  # what stays as it is
    r"|(?<!\w)([^\W\d_][\u0300-\u036f]*'?)_(?:\{([^{}]+)\}|([^\W_]+)(?!\w))",  # one letter, and what stands below it
    re.DOTALL,
)
_OPTION = re.compile(r'(?<=<span class="w"> </span>)--?[a-zA-Z][\w-]*')


def on_page_content(content: str, **_: Any) -> str:
    """What pymdownx.arithmatex found between `$$`, drawn; `|` in code of tables as it is meant."""
    drawn = _FORMULA.sub(lambda found: _drawn(html.unescape(found[1])), content)
    return _CELL.sub(lambda found: found[0].replace("\\|", "|"), drawn)


def on_post_page(output: str, **_: Any) -> str:
    """x_t with its index below the line, and options of commands in one piece; the search finds what was written."""
    head, article, rest = output.partition("<article")
    body, end, foot = rest.partition("</article>")
    body = _OPTION.sub(r'<span class="option">\g<0></span>', _INDEX.sub(_lowered, body))
    return head + article + body + end + foot


def _lowered(found: re.Match[str]) -> str:
    below = found[3] or found[4]
    return f"{found[2]}<sub>{below}</sub>" if below else found[0]


def _drawn(formula: str) -> str:
    from latex2mathml.converter import convert

    return f'<div class="formula">{convert(" ".join(formula.split()), display="block")}</div>'
