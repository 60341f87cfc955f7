"""What a browser loads before the editor can be used."""

import gzip
import re
from pathlib import Path

STATIC = Path(__file__).parents[2] / "server" / "static"
MOST = 250_000


def at_start(page: str) -> set[str]:
    """The scripts that a page names, and those that they import; not what is imported when it is needed."""
    wanted = set(re.findall(r'(?:src|href)="\./(assets/[^"]+\.js)"', page))
    found = set[str]()
    while wanted:
        name = wanted.pop()
        found.add(name)
        text = (STATIC / name).read_text("utf-8")
        imported = re.findall(r'(?:\bfrom|\bimport)\s*"\./([^"]+\.js)"', text)
        wanted |= {f"assets/{one}" for one in imported} - found
    return found


def test_the_start_loads_few_bytes_of_scripts() -> None:
    names = at_start((STATIC / "index.html").read_text("utf-8"))
    sizes = {name: len(gzip.compress((STATIC / name).read_bytes(), 6)) for name in names}
    assert sizes and sum(sizes.values()) <= MOST, sizes
    assert not [name for name in sizes if "textSetup" in name]
