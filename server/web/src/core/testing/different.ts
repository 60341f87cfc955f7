/** The texts of `agreement.json` that the editor reads otherwise than the engine, and how. */

export const DIFFERENT: Readonly<Record<string, string>> = {
  // Refused here alone: the text pane says so before the server does.
  "graph: 1\nnodes:\n  one: {type: a, b: $seed, \n  c: [1, 'x']}  # one\n  two:\n    ty.pe: b\n    d: |\n      text\n\noutputs: {image: $two}\n":
    "only here refused",
  "graph: 1\nnodes:\n  one: {*type: a, b: $seed, c: [1, 'x']}  # one\n  two:\n    type: b\n    d: |\n      text\n\noutputas: {image: $two}\n":
    "only here refused",
  "graph: 1\nnodes:\n  one: {type: a, b: $se\n  ed, c: [1, 'x']}  # one\n  two:\n    type: b\n    d: |\n      text\n\noutputs: {image: $two}\n":
    "only here refused",
  "graph: 1\rnodes:\r  one: {type: a, b: 1}\r  two: {type: b, c: $one}\routputs: {image: $two}\r": "only here refused",
  // Refused by the engine alone: the text pane shows its fault.
  "{a: [!!python/name:os.system]}": "only there refused",
  "a: {: 1}\n": "only there refused",
  "{a: [{: 1}]}": "only there refused",
  'a: "\\ud800"\n': "only there refused",
  '{a: ["\\ud800"]}': "only there refused",
  "{a: [hf:]}": "only there refused",
  "{a: [open_clip:]}": "only there refused",
  "{a: [?]}": "only there refused",
  '{"a": "\\ud800"}': "only there refused",
  '{"a": "a\\udcffb"}': "only there refused",
  '{"a": "\\ud83d\\ude00"}': "only there refused",
  ": +-": "only there refused",
  "\t": "only there refused",
  "&+": "only there refused",
  "\n  >-\nx": "only there refused",
  '*"11b': "only there refused",
  ": 1[e||e": "only there refused",
  ":": "only there refused",
  ": \\1e3<<0": "only there refused",
  ": 1e3": "only there refused",
  ": ": "only there refused",
  "&xtrue&\n  😀a#": "only there refused",
  "a: \n: \n": "only there refused",
  "a:  *`o\n": "only there refused",
  'a: *"o="|\n': "only there refused",
  "a: &'?1\n": "only there refused",
  "graph: 1\nnodes:\n  one: {type: a, b:? $seed, c: [1, 'x']}  # one\n  two:\n    type: b\n    d: |\n      text\n\noutputs: {image: $two}\n":
    "only there refused",
  "graph: 1\nnodes:\n  one: {type: a, b: $seed, c: [1, 'x']}  # one\n  two:\n    type: b\n    d: |\n      text\n\noutputs: &image: $two}\n":
    "only there refused",
  "graph: 1\nnodes:\n  one: {type: a, b: $seed, c: [1, 'x']}  # one\n  two:\n    type: b\n    d: |\n    :  text@\noutputs: {image: $two}\n":
    "only there refused",
  // Read as something else: no text that one would write.
  "graph: 1\nnodes:\n  one: {type: a, b: $seed, c: [1, ?'x']}  # one\n  two:\n    type: b\n    ?: |\n      text\n\noutputs: {image: $two}\n":
    "another value",
  "graph: 1\nnodes:\n  on0o17e: {type: a, b: $seed, ?c: [1, 'x']}  # one\n  two:\n    type: b\n    d: |\n      text\n\noutputs: {image: $two}\n":
    "another value",
};
