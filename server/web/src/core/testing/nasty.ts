/** Graphs that are hard to edit: comments everywhere, every style of YAML, and files that end oddly. */

const COMMENTS = `# before everything
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
`;
const BLOCK_TEXTS = `graph: 1
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
`;
const LAST_IS_BLOCK = `graph: 1
outputs: {image: $one}
nodes:
  one:
    type: a
    b: |
      text`;
const KEPT_AT_END = `graph: 1
outputs: {image: $one}
nodes:
  one:
    type: a
    b: |+
      text


`;
const MULTI_LINE = `graph: 1
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
`;
const QUOTED_KEYS = `"graph": 1
'inputs':
  "seed": {"type": 'Seed', 'default': 0}
"nodes":
  "one": {"type":"a","b":"$seed"}
  'two': {'type': a, "b": "$one.out", 'c':'$seed'}
'outputs': {"image":"$two"}
`;
const EXPLICIT_KEYS = `? graph
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
`;
const EMPTY = `graph: 1
inputs: {}
presets:
nodes: {}  # none yet
outputs:
`;
const NULLS = `graph: 1
inputs: null
presets: ~
nodes:
  # none

outputs: {image: $a}
layout: { }
`;
const NODES_LAST = `graph: 1
outputs: {image: $one}
nodes:
  two: {type: b}
  one: {type: a, b: $two}`;
const DEEP = `graph: 1
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
`;
const MARKERS = `%YAML 1.1
# head
---
# body
graph: 1
nodes:
  one: {type: a, b: 1}
outputs: {image: $one}
...
`;
const ALL_FLOW =
  "{graph: 1, inputs: {s: {type: int}}, nodes: {one: {type: a, b: $s}, two: {type: b, c: [$one, $one.x], }}, outputs: {image: $two}}";
const FLOW_LINES = `{
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
`;
const JSON_TIGHT =
  '{"graph":1,"nodes":{"one":{"type":"a","b":[1,2]},"two":{"type":"b","c":"$one"}},"outputs":{"image":"$two"}}\n';
const NO_INDENT_LIST = `graph: 1
nodes:
 one:
  type: a
  b:
  - 1
  - $two
  c: 2
 two: {type: b}
outputs:
 image: $one
`;
const CANVAS = `graph: 1
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
`;
const ODD_NAMES = `graph: 1
nodes:
  true: {type: a, null: 1, 1: 2}
  null: {type: b, yes: $true.1}
outputs: {no: $null}
`;
const EMOJI = `graph: 1 # 😀
title: 🌈 ein Bögen
nodes:
  one: {type: a, text: 👩‍🚀 im All, b: 1}  # 🚀
  two: {type: b, c: $one} # ü
outputs: {image: $two}
`;
const BLANKS =
  "\n\n  \ngraph: 1\n\n\nnodes:   \n\n  one: {type: a, b: 1}   \n   \n\n  two:\n\n    type: b  \n\n    c: $one\n  \noutputs: {image: $two}\n\n\n   \n";

export const NASTY: Readonly<Record<string, string>> = {
  COMMENTS,
  BLOCK_TEXTS,
  LAST_IS_BLOCK,
  KEPT_AT_END,
  MULTI_LINE,
  QUOTED_KEYS,
  EXPLICIT_KEYS,
  EMPTY,
  NULLS,
  NODES_LAST,
  DEEP,
  MARKERS,
  ALL_FLOW,
  FLOW_LINES,
  JSON_TIGHT,
  NO_INDENT_LIST,
  CANVAS,
  ODD_NAMES,
  EMOJI,
  BLANKS,
};

export const ANCHORS = `graph: 1
inputs: &inputs
  seed: {type: Seed}
nodes:
  one: &one {type: a, b: &text hello}
  two: *one
  three: {type: c, b: *text, d: 1, e: !important x}
outputs: {image: $three}
`;
