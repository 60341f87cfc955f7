"""Graphs that are hard to edit: comments everywhere, every style of YAML, and files that end oddly."""

COMMENTS = """\
# before everything
graph: 1  # the version
# between

title: A title  # of the graph\t# with a tab
inputs:  # what is asked for
  # about the seed
  seed: {type: Seed, default: 0}  # {not: a value}

  size:  # how large
    # its type
    type: int  # whole
    default: 64

    # the menu
    menu: [64, 128]  # two
presets:
  large:  # one of them
    size: 128  # larger
nodes:  # what is done
    # about one
    one: {type: a, b: $seed, c: "x # y"}  # one
    # about two
    two:  # two
        # its type
        type: a
        # what it takes
        b: $one  # wired
        d:  # a list
          # first
          - $one  # one
          # second
          - $seed
    # after two
    three: {type: a, b: $two.out,  # a break
        c: [1, 2,  # more
            3]}  # three
    # after all nodes

# about the outputs
outputs:
  image: $three  # out
  # the end
"""
BLOCK_TEXTS = """\
graph: 1
description: >
  A text on several
  lines.

  And more.
nodes:
  one:
    type: a
    b: |
      first line

      # no comment
      last line

  two:
    type: b
    c: |+
      kept

    d: >-
      folded
      away
    e: |2
        indented
  three: {type: c, one: $one}

# a comment
outputs:
  image: $three
"""
LAST_IS_BLOCK = (
    "graph: 1\noutputs: {image: $one}\nnodes:\n  one:\n    type: a\n    b: |\n      text"
)
KEPT_AT_END = (
    "graph: 1\noutputs: {image: $one}\nnodes:\n  one:\n    type: a\n    b: |+\n      text\n\n\n"
)
MULTI_LINE = """\
graph: 1
title: A plain text
  that goes on
  and on
description: 'single, with ''quotes''

  and a break'
nodes:
  one: {type: a, b: plain that
     goes on, c: "double
     that goes on", d: 'x'}
  two:
    type:
      b
    text:
      on a line of its own
    note: "a \\
      joined line"
    one: $one
outputs:
  image:
    $two
"""
QUOTED_KEYS = """\
"graph": 1
'inputs':
  "seed": {"type": 'Seed', 'default': 0}
"nodes":
  "one": {"type":"a","b":"$seed"}
  'two': {'type': a, "b": "$one.out", 'c':'$seed'}
'outputs': {"image":"$two"}
"""
EXPLICIT_KEYS = """\
? graph
: 1
? nodes
: ? one
  : type: a
    b: 1
  ? two  # a comment
  : {? type : a, ? b : $one}
  three: {type: a, ? b, c: $two}
? outputs
: image: $three
"""
EMPTY = "graph: 1\ninputs: {}\npresets:\nnodes: {}  # none yet\noutputs:\n"
NULLS = (
    "graph: 1\ninputs: null\npresets: ~\nnodes:\n  # none\n\noutputs: {image: $a}\nlayout: { }\n"
)
NODES_LAST = "graph: 1\noutputs: {image: $one}\nnodes:\n  two: {type: b}\n  one: {type: a, b: $two}"
DEEP = """\
graph: 1
nodes:
                one:
                                type: a
                                b: $two
                two:
                                type: b
                                c:
                                                - 1
                                                -
                                                    2
outputs:
                image: $one
"""
MARKERS = "%YAML 1.1\n# head\n---\n# body\ngraph: 1\nnodes:\n  one: {type: a, b: 1}\noutputs: {image: $one}\n...\n"
ALL_FLOW = "{graph: 1, inputs: {s: {type: int}}, nodes: {one: {type: a, b: $s}, two: {type: b, c: [$one, $one.x], }}, outputs: {image: $two}}"
FLOW_LINES = """\
{
  "graph": 1,
  "nodes": {
    "one": {"type": "a"},  # one
    # about two
    "two": {
      "type": "b",
      "c": ["$one"],  # a list
      "d": 1  # the last
    }  # two
  },
  "outputs": {"image": "$two"},
}
"""
JSON_TIGHT = '{"graph":1,"nodes":{"one":{"type":"a","b":[1,2]},"two":{"type":"b","c":"$one"}},"outputs":{"image":"$two"}}\n'
NO_INDENT_LIST = "graph: 1\nnodes:\n one:\n  type: a\n  b:\n  - 1\n  - $two\n  c: 2\n two: {type: b}\noutputs:\n image: $one\n"
CANVAS = """\
graph: 1
nodes:
  one: {type: a, note: 'about, "one"'}
  two: {type: b, one: $one}
outputs: {image: $two}
layout:
  one: [0, 0]    # left
  two: [10.5, -3]
frames:
  "All: of it": [one, two]
  Left:
    - one  # the only one
"""
ODD_NAMES = "graph: 1\nnodes:\n  true: {type: a, null: 1, 1: 2}\n  null: {type: b, yes: $true.1}\noutputs: {no: $null}\n"
EMOJI = "graph: 1 # 😀\ntitle: 🌈 ein Bögen\nnodes:\n  one: {type: a, text: 👩‍🚀 im All, b: 1}  # 🚀\n  two: {type: b, c: $one} # ü\noutputs: {image: $two}\n"
OLD_BREAKS = (
    "graph: 1\rnodes:\r  one: {type: a, b: 1}\r  two: {type: b, c: $one}\routputs: {image: $two}\r"
)
BLANKS = "\n\n  \ngraph: 1\n\n\nnodes:   \n\n  one: {type: a, b: 1}   \n   \n\n  two:\n\n    type: b  \n\n    c: $one\n  \noutputs: {image: $two}\n\n\n   \n"

NASTY = {
    name: text for name, text in list(globals().items()) if name.isupper() and isinstance(text, str)
}

ANCHORS = """\
graph: 1
inputs: &inputs
  seed: {type: Seed}
nodes:
  one: &one {type: a, b: &text hello}
  two: *one
  three: {type: c, b: *text, d: 1, e: !important x}
outputs: {image: $three}
"""
