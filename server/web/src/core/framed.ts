/** Places for boxes of which some stand in frames: each frame is laid out by itself, and stands as one box among the others.
 *
 * As the engine draws them (`drawing.framed`). A frame keeps together what stands in it, unless wires go out of it and in
 * again, or another frame has it. */

import { type Arrangement, type Link, narrow, type Point, routed, type Size } from "./layout";

/** Between a frame and what stands in it: at its sides, and above. */
const PAD = 16;
const HEAD = 32;

interface Frame {
  readonly members: ReadonlySet<string>;
  readonly inside: Arrangement;
  readonly size: Size;
  /** The routes inside, by the number of the link. */
  readonly routes: ReadonlyMap<number, readonly Point[]>;
  /** How far below the frame's upper edge a link passes its border. */
  readonly passes: (link: Link, enters: boolean) => number;
}

/** The places of boxes and the points that wires pass; `last` stand at the right side. */
export function framed(
  sizes: ReadonlyMap<string, Size>,
  links: readonly Link[],
  last: ReadonlySet<string>,
  frames: readonly (readonly string[])[],
): Arrangement {
  const groups = groupsOf(sizes, links, frames);
  if (!groups.length) return routed(sizes, links, new Set(), last, narrow);
  const made = groups.map((members) => frameOf(members, sizes, links));
  const home = (name: string): number => made.findIndex((frame) => frame.members.has(name));
  const named = (name: string): string => (home(name) < 0 ? name : `frame ${home(name)}`);
  const outside = new Map([...sizes].filter(([name]) => home(name) < 0));
  for (const [n, { size }] of made.entries()) outside.set(`frame ${n}`, size);
  const between = links.flatMap((link, n) => (named(link.source) === named(link.target) && home(link.source) >= 0 ? [] : [n]));
  const outer = routed(
    outside,
    between.map((n) => seen(links[n]!, named, (name) => made[home(name)])),
    new Set(),
    new Set([...last].filter((name) => home(name) < 0)),
    narrow,
  );
  const moved = (n: number, [x, y]: Point): Point => {
    const [left, top] = outer.places.get(`frame ${n}`) ?? [0, 0];
    return [x + left + PAD, y + top + HEAD];
  };
  const at = (name: string): Point => {
    const inside = made[home(name)]?.inside.places.get(name);
    return inside ? moved(home(name), inside) : (outer.places.get(name) ?? [0, 0]);
  };
  const within = (name: string, n: number): Point[] =>
    (made[home(name)]?.routes.get(n) ?? []).map((point) => moved(home(name), point));
  const routes = links.map((link, n) => {
    const way = outer.routes[between.indexOf(n)];
    return way ? [...within(link.source, n), ...way, ...within(link.target, n)] : within(link.source, n);
  });
  return { places: new Map([...sizes.keys()].map((name) => [name, at(name)])), routes };
}

/** A link as it is seen from outside of the frames. */
function seen(link: Link, named: (name: string) => string, frame: (name: string) => Frame | undefined): Link {
  return {
    source: named(link.source),
    target: named(link.target),
    leaves: frame(link.source)?.passes(link, false) ?? link.leaves,
    enters: frame(link.target)?.passes(link, true) ?? link.enters,
  };
}

/** The frames that can stand as one box each. */
function groupsOf(
  sizes: ReadonlyMap<string, Size>,
  links: readonly Link[],
  frames: readonly (readonly string[])[],
): ReadonlySet<string>[] {
  let pairs = links.map(({ source, target }) => [source, target] as const);
  const groups: Set<string>[] = [];
  for (const [number, frame] of frames.entries()) {
    const members = new Set(frame.filter((name) => sizes.has(name)));
    const taken = groups.some((group) => [...members].some((name) => group.has(name)));
    if (!members.size || taken || leadsBack(members, pairs)) continue;
    groups.push(members);
    const inside = (name: string): string => (members.has(name) ? `frame ${number}` : name);
    pairs = pairs.map(([a, b]) => [inside(a), inside(b)] as const).filter(([a, b]) => a !== b || !a.startsWith("frame "));
  }
  return groups;
}

/** Whether a way leads out of a frame and into it again. */
function leadsBack(members: ReadonlySet<string>, pairs: readonly (readonly [string, string])[]): boolean {
  const behind = new Map<string, string[]>();
  for (const [a, b] of pairs) behind.set(a, [...(behind.get(a) ?? []), b]);
  const out = [...members].flatMap((name) => behind.get(name) ?? []).filter((name) => !members.has(name));
  const waiting = new Set(out);
  for (const name of waiting) {
    if (members.has(name)) return true;
    for (const next of behind.get(name) ?? []) waiting.add(next);
  }
  return false;
}

/** A frame laid out by itself, with an opening in its border for each port whose wires pass that. */
function frameOf(members: ReadonlySet<string>, sizes: ReadonlyMap<string, Size>, links: readonly Link[]): Frame {
  const openings = new Map<string, string>();
  const sides = { first: new Set<string>(), last: new Set<string>() };
  const opening = ({ source, leaves }: Link, enters: boolean): string => {
    const key = JSON.stringify([source, leaves, enters]);
    const name = openings.get(key) ?? `opening ${openings.size}`;
    openings.set(key, name);
    sides[enters ? "first" : "last"].add(name);
    return name;
  };
  const inner = links.flatMap((link, n): (readonly [number, Link])[] => {
    const [enters, leaves] = [members.has(link.target), members.has(link.source)];
    if (!enters && !leaves) return [];
    if (enters && leaves) return [[n, link]];
    const name = opening(link, enters);
    return [[n, enters ? { ...link, source: name, leaves: 0 } : { ...link, target: name, enters: 0 }]];
  });
  const point: Size = { width: 0, height: 0 };
  const boxes = [...sizes].filter(([name]) => members.has(name));
  const all = new Map([...boxes, ...[...openings.values()].map((name) => [name, point] as const)]);
  const inside = routed(all, inner.map(([, link]) => link), sides.first, sides.last, narrow);
  const ends = [...all].map(([name, { width, height }]) => {
    const [x, y] = inside.places.get(name) ?? [0, 0];
    return [x + width, y + height] as const;
  });
  return {
    members,
    inside,
    routes: new Map(inner.map(([n], i) => [n, inside.routes[i] ?? []])),
    size: {
      width: Math.max(...ends.map(([x]) => x)) + 2 * PAD,
      height: Math.max(...ends.map(([, y]) => y)) + HEAD + PAD,
    },
    passes: (link, enters) => HEAD + (inside.places.get(opening(link, enters))?.[1] ?? 0),
  };
}
