"""What nobody expects in a graph: bytes, lines, numbers, texts, YAML, names."""

from nodegraph.language.graph import TOP_KEYS

BYTES = [
    b"\x00", b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xef\xbb\xbf", b"\xfe\xff",
    b"\r", b"\t", b"\x0b", b"\x0c", b"\x1b[2J", b"\x7f", b"\xc2\x85", b"\xe2\x80\xa8",
    b"\xe2\x80\xae", b"\xf0\x9f\x98\x80", b"\xcc\x81" * 40, b"'", b'"', b"#", b": ", b"- ", b"{",
    b"}", b"[", b"]", b"&", b"*", b"!", b"|", b">", b"%", b"@", b"`", b"$", b"\\", b"<<: ",
]  # fmt: skip
"""Bytes that are no text, that do not print, or that mean something to YAML."""
LINES = [
    "---", "...", "%YAML 1.1", "%TAG ! tag:x,2000:", "? x", "? [a, b]", "- x", "<<: *a", "&a", "*a",
    "!!python/object/apply:os.system [echo]", "nodes:", "outputs: {}", "graph: 1",
    "  x: {type: add, a: 1}", "# [bold]\x1b[31m", "\t", "x" * 5000, "[" * 200, "{a: " * 90,
    "presets: {a: {b: 1}}", "layout: {a: [1, 2]}", "title: $a", "inputs: {out: {type: int}}", "'",
    '"', "|", ">-", ": ", "a: b: c", "a: [1, 2", "\ufeff", "  " * 60 + "a: 1", "\u2028",
]  # fmt: skip
"""Lines that end, begin or break what they stand in."""
NUMBERS = [
    0, -1, 1, 2, 3, 7, 64, 65, 1000, 1001, 10**6, 2**31, 2**63, 2**64, -(2**63), 10**18, 10**299,
    10**301, 0.0, -0.0, 0.5, 1.5, 1e-300, 1e+308, -1e+308, 5e-324, 1e+16, 3.0, 0.999999,
]  # fmt: skip
"""Numbers at the borders of what a port, a float or a machine takes."""
TEXTS = [
    "", " ", "a", "null", "true", "1", "1e3", "~", "~nosuch", "$", "$$", "$a.b.c", "$.", "$a.", ".",
    "..", "../..", "../../../../etc/passwd", "/etc/passwd", "/dev/zero", "/dev/stdin", "a/../b",
    "\x00", "a\x00b", "\ud800", "a\udcffb", "\x1b[31mred", "\r\n", "[bold]x[/bold]", "[/]",
    "[link=x]", "{0}", "%s", "%n", "${HOME}", "`id`", "x" * 300, "y" * 70000, "é" * 256,
    "\u202eabc", "😀", "hf:", "hf:a/b", "open_clip:", "open_clip:ViT-B-32/none", "shapes/glide/base",
    "shapes/", "x:y", "a.png", "shapes", "all", "1,2,3", "250,200", "ddim25", "fast27", "1-2", "-5",
    "20.5", "1:30", "red circle", "a red circle above a blue square", ", ".join("abc" * 99),
    "list[int]", "int|str", "list[" * 40 + "int" + "]" * 40, "*", "?", "int[", "|", "Image",
    "A | B | C", "list[list[Image]]", "./judged.yaml", "judged.yaml", "fuzzed.yaml",
    "../glide/inpaint.yaml", "nosuch.yaml", ".yaml",
]  # fmt: skip
"""Texts that are taken for a path, a wire, a type, a style, a schedule or a model; and what is none."""
RAWS = [
    "&a 1", "*a", "&a [*a]", "!!int 3", "!x y", "!!binary aGk=", "!!python/name:os.system", "<<",
    "{<<: {a: 1}}", "{? a : b}", "{[a]: 1}", "{a, b}", "{: 1}", "'open", '"open', "[1, 2", "{a: 1",
    "0x" + "f" * 500, "9" * 401, "0o17", "0xff", "1e999", "-1e999", ".nan", "-.inf", "+.inf",
    "1_000", ".5", "5.", "+1", "012", "1:30:00", "2026-01-01", "yes", "off", "@a", "`a", "%a",
    "- a", "a: b", '"\\ud800"', '"\\0"', '"\\x1b]0;x\\a"', '"\\N"', '"\\q"', '"\\U0010ffff"',
    '"a\\\n b"', "[" * 70, "{a: " * 70, "[" * 50 + "]" * 50, "{a: " * 40 + "1" + "}" * 40,
    "|\n    a\n    b", "# c", "a #c",
]  # fmt: skip
"""Values as they stand in YAML: its features, open quotes and brackets, numbers that are none."""
NAMES = [
    "type", "note", "default", "min", "max", "menu", "help", "optional", "<<", "1a", "a-b", "a b",
    "", "out", "preset", "seed", "model", "image", "steps", "x" * 100, "é", "$a", "null", "true",
    "1.5",
    *TOP_KEYS,
]  # fmt: skip
"""Names of ports and inputs that are reserved, or no names."""
