/** Where boxes stand when no place is given: in layers from left to right, few crossings, wires level where they can be.
 *
 * The method of Sugiyama, Tagawa and Toda (1981), as the engine draws graphs: layers by the longest path, orders by
 * barycentres, then places by least squares under those orders. Ports count: a box knows how far down each wire meets it. */

export interface Size {
  readonly width: number;
  readonly height: number;
}
/** A wire between two boxes; it leaves and enters so far below their upper edges. */
export interface Link {
  readonly source: string;
  readonly target: string;
  readonly leaves: number;
  readonly enters: number;
}
export type Point = readonly [number, number];
export type Places = ReadonlyMap<string, Point>;
/** The upper left corners of boxes, and for each link the points that it passes. */
export interface Arrangement {
  readonly places: Places;
  readonly routes: readonly (readonly Point[])[];
}

const SWEEPS = 12;
/** Between boxes above each other. */
export const ROOM = 22;
const LANE = 9;
/** The room between two layers by the wires that pass it: as the engine draws graphs, and for a canvas, where width is what one has least of. */
const wide = (wires: number): number => Math.min(44 + 5 * wires, 110);
export const narrow = (wires: number): number => Math.min(40 + 4 * wires, 80);
/** Lanes beyond which long wires keep no room. */
const MOST_LANES = 20_000;

/** A piece of a wire from one layer to the next: from a spot, at an offset, to another. */
interface Piece {
  readonly from: string;
  readonly leaves: number;
  readonly to: string;
  readonly enters: number;
}
/** The boxes and lanes of each layer from above, their heights, and the pieces of wires from each layer to the next. */
interface Stack {
  rows: string[][];
  readonly heights: Map<string, number>;
  readonly lanes: Set<string>;
  readonly pieces: Piece[][];
}

/**
 * The places of boxes, and the points that each wire passes: from port to port, along the lanes between boxes. `first` stand at
 * the left side, `last` at the right. Wires that lead back do not count.
 */
export function routed(
  sizes: ReadonlyMap<string, Size>,
  links: readonly Link[],
  first: ReadonlySet<string> = new Set(),
  last: ReadonlySet<string> = new Set(),
  room: (wires: number) => number = wide,
): Arrangement {
  const known = links.filter((link) => sizes.has(link.source) && sizes.has(link.target));
  const depths = layers([...sizes.keys()], known, first, last);
  const stack = stacked(sizes, known, depths);
  untangle(stack);
  const tops = level(stack);
  const edges = edgesOf(sizes, stack, room);
  const at = (name: string): Point => [edges[depths.get(name) ?? 0]?.[0] ?? 0, tops.get(name) ?? 0];
  const routes = links.map((link) => {
    const lanes = lanesOf(link, depths, edges, tops);
    const [[x, y], [endX, endY]] = [at(link.source), at(link.target)];
    return [
      [x + (sizes.get(link.source)?.width ?? 0), y + link.leaves] as const,
      ...lanes,
      [endX, endY + link.enters] as const,
    ];
  });
  return { places: new Map([...sizes.keys()].map((name) => [name, at(name)])), routes };
}

/** Where a wire passes the layers between its boxes: at the left and the right edge of each. */
function lanesOf(
  { source, target, leaves }: Link,
  depths: ReadonlyMap<string, number>,
  edges: readonly Point[],
  tops: ReadonlyMap<string, number>,
): Point[] {
  const start = (depths.get(source) ?? 0) + 1;
  return edges.slice(start, Math.max(start, depths.get(target) ?? 0)).flatMap(([left, right], i) => {
    const top = tops.get(laneOf(source, leaves, start + i));
    return top === undefined ? [] : [[left, top] as const, [right, top] as const];
  });
}

function laneOf(source: string, leaves: number, depth: number): string {
  return JSON.stringify([source, leaves, depth]);
}

/** The layer of each box: one behind all that lead to it; what nothing leads to, before what it leads to. */
function layers(
  names: readonly string[],
  links: readonly Link[],
  first: ReadonlySet<string>,
  last: ReadonlySet<string>,
): Map<string, number> {
  const before = neighbours(names, links, "target", "source");
  const behind = neighbours(names, links, "source", "target");
  const order = oneWay(names, before, behind);
  const rank = new Map(order.map((name, i) => [name, i]));
  const earlier = (a: string, b: string): boolean => (rank.get(a) ?? 0) < (rank.get(b) ?? 0);
  const depth = new Map<string, number>();
  for (const name of order) {
    const found = (before.get(name) ?? [])
      .filter((other) => earlier(other, name))
      .map((other) => (depth.get(other) ?? 0) + 1);
    depth.set(name, first.has(name) ? 0 : Math.max(first.size ? 1 : 0, ...found));
  }
  for (const name of order.toReversed()) {
    const later = (behind.get(name) ?? [])
      .filter((other) => earlier(name, other))
      .map((other) => depth.get(other) ?? 0);
    if (later.length && !before.get(name)?.length && !first.has(name)) depth.set(name, Math.min(...later) - 1);
  }
  const end = Math.max(-1, ...names.filter((name) => !last.has(name)).map((name) => depth.get(name) ?? 0)) + 1;
  for (const name of last) if (depth.has(name)) depth.set(name, end);
  const used = [...new Set(depth.values())].sort((a, b) => a - b);
  return new Map([...depth].map(([name, at]) => [name, used.indexOf(at)]));
}

type End = "source" | "target";
function neighbours(names: readonly string[], links: readonly Link[], from: End, to: End): Map<string, string[]> {
  const found = new Map<string, string[]>(names.map((name) => [name, []]));
  for (const link of links) found.get(link[from])?.push(link[to]);
  return found;
}

/** The boxes so that wires lead forwards; where they go in a circle it is cut before the first that is left. */
function oneWay(
  names: readonly string[],
  before: ReadonlyMap<string, string[]>,
  behind: ReadonlyMap<string, string[]>,
): string[] {
  const waits = new Map(names.map((name) => [name, before.get(name)?.length ?? 0]));
  const ready = names.filter((name) => !waits.get(name));
  const left = new Set(names);
  const order: string[] = [];
  while (left.size) {
    const [next = ""] = left;
    const name = ready.shift() ?? next;
    if (!left.delete(name)) continue;
    order.push(name);
    for (const other of behind.get(name) ?? []) {
      waits.set(other, (waits.get(other) ?? 0) - 1);
      if (!waits.get(other)) ready.push(other);
    }
  }
  return order;
}

function stacked(sizes: ReadonlyMap<string, Size>, links: readonly Link[], depths: ReadonlyMap<string, number>): Stack {
  const rows = Array.from({ length: Math.max(-1, ...depths.values()) + 1 }, (): string[] => []);
  for (const name of sizes.keys()) rows[depths.get(name) ?? 0]?.push(name);
  const heights = new Map([...sizes].map(([name, { height }]) => [name, height]));
  const stack: Stack = { rows, heights, lanes: new Set(), pieces: rows.map(() => []) };
  const seen = new Set<string>();
  for (const link of links) {
    for (const [depth, piece] of piecesOf(stack, link, depths)) {
      const key = JSON.stringify(piece);
      if (!seen.has(key)) stack.pieces[depth]?.push(piece);
      seen.add(key);
    }
  }
  return stack;
}

function* piecesOf(
  stack: Stack,
  { source, target, leaves, enters }: Link,
  depths: ReadonlyMap<string, number>,
): Generator<[number, Piece]> {
  const [start, end] = [depths.get(source) ?? 0, depths.get(target) ?? 0];
  let [from, offset] = [source, leaves];
  for (let depth = start + 1; depth < end; depth += 1) {
    const lane = laneOf(source, leaves, depth);
    if (!stack.lanes.has(lane)) {
      if (stack.lanes.size >= MOST_LANES) return;
      stack.lanes.add(lane);
      stack.heights.set(lane, 0);
      stack.rows[depth]?.push(lane);
    }
    yield [depth - 1, { from, leaves: offset, to: lane, enters: 0 }];
    [from, offset] = [lane, 0];
  }
  if (end > start) yield [end - 1, { from, leaves: offset, to: target, enters }];
}

/** Orders each layer by where its wires come from and lead to, to and fro; the order with the fewest crossings stays. */
function untangle(stack: Stack): void {
  let best = stack.rows.map((row) => [...row]);
  let least = crossings(stack);
  for (let sweep = 0; sweep < SWEEPS && least > 0; sweep += 1) {
    const forwards = sweep % 2 === 0;
    const depths = stack.rows.map((_, depth) => depth).slice(forwards ? 1 : 0, forwards ? undefined : -1);
    for (const depth of forwards ? depths : depths.toReversed()) sortRow(stack, depth, forwards);
    const found = crossings(stack);
    if (found >= least) continue;
    best = stack.rows.map((row) => [...row]);
    least = found;
  }
  stack.rows = best;
}

/** Orders a layer by the mean places of what stands beside it; what has nothing there stays where it is. */
function sortRow(stack: Stack, depth: number, forwards: boolean): void {
  const other = spots(stack, forwards ? depth - 1 : depth + 1);
  const sums = new Map<string, [number, number]>();
  for (const { from, leaves, to, enters } of stack.pieces[forwards ? depth - 1 : depth] ?? []) {
    const [here, there, offset] = forwards ? [to, from, leaves] : [from, to, enters];
    const [sum, count] = sums.get(here) ?? [0, 0];
    sums.set(here, [sum + (other.get(there) ?? 0) + share(stack, there, offset), count + 1]);
  }
  const mean = (spot: string): number => {
    const [sum, count] = sums.get(spot) ?? [0, 1];
    return sum / count;
  };
  const row = stack.rows[depth] ?? [];
  const movable = row.filter((spot) => sums.has(spot)).sort((a, b) => mean(a) - mean(b));
  stack.rows[depth] = row.map((spot) => (sums.has(spot) ? (movable.shift() ?? spot) : spot));
}

function spots(stack: Stack, depth: number): Map<string, number> {
  return new Map(stack.rows[depth]?.map((spot, i) => [spot, i]));
}

/** How far down a box a port is, less than 1. */
function share(stack: Stack, spot: string, offset: number): number {
  return offset / ((stack.heights.get(spot) ?? 0) + 1);
}

/** How many pairs of wires cross. */
function crossings(stack: Stack): number {
  let count = 0;
  for (const [depth, pieces] of stack.pieces.entries()) {
    const [here, there] = [spots(stack, depth), spots(stack, depth + 1)];
    const ends = pieces.map(({ from, leaves, to, enters }): [number, number] => [
      (here.get(from) ?? 0) + share(stack, from, leaves),
      (there.get(to) ?? 0) + share(stack, to, enters),
    ]);
    ends.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
    const seen: number[] = [];
    for (const [, end] of ends) {
      const at = seen.findLastIndex((other) => other <= end) + 1;
      count += seen.length - at;
      seen.splice(at, 0, end);
    }
  }
  return count;
}

/** The upper edge of each box and the height of each lane: wires as level as the order allows. */
function level(stack: Stack): Map<string, number> {
  const tops = new Map<string, number>();
  const keep = (row: readonly string[], aims: readonly Aim[]): void =>
    apart(stack, row, aims).forEach((top, i) => tops.set(row[i] ?? "", top));
  for (const row of stack.rows)
    keep(
      row,
      row.map(() => ({ aim: 0, weight: 1 })),
    );
  const depths = stack.rows.map((_, depth) => depth);
  for (let sweep = 0; sweep < 3 * SWEEPS; sweep += 1) {
    const [forwards, ending] = [sweep % 2 === 0, sweep >= SWEEPS];
    for (const depth of forwards ? depths : depths.toReversed()) {
      const row = stack.rows[depth] ?? [];
      const pulls = pullsOn(stack, depth, tops, forwards || ending, !forwards || ending);
      keep(
        row,
        row.map((spot) => pulls.get(spot) ?? { aim: tops.get(spot) ?? 0, weight: 1 }),
      );
    }
  }
  const least = Math.min(...tops.values());
  return new Map([...tops].map(([spot, top]) => [spot, top - least]));
}

interface Aim {
  readonly aim: number;
  readonly weight: number;
}

/** Where the wires of a layer to its neighbours would be level, in the mean; lanes want it most. */
function pullsOn(
  stack: Stack,
  depth: number,
  tops: ReadonlyMap<string, number>,
  left: boolean,
  right: boolean,
): Map<string, Aim> {
  const found = new Map<string, Aim>();
  const pull = (spot: string, other: string, shift: number): void => {
    const more = [1, 2, 8][Number(stack.lanes.has(spot)) + Number(stack.lanes.has(other))] ?? 1;
    const { aim, weight } = found.get(spot) ?? { aim: 0, weight: 0 };
    const at = (tops.get(other) ?? 0) + shift;
    found.set(spot, { aim: (aim * weight + at * more) / (weight + more), weight: weight + more });
  };
  for (const { from, leaves, to, enters } of (left && stack.pieces[depth - 1]) || []) pull(to, from, leaves - enters);
  for (const { from, leaves, to, enters } of (right && stack.pieces[depth]) || []) pull(from, to, enters - leaves);
  return found;
}

/** The places nearest to the aims in the sense of least squares, in order, with room between them: pools of violators. */
function apart(stack: Stack, row: readonly string[], aims: readonly Aim[]): number[] {
  const above: number[] = [];
  let at = 0;
  for (const [i, spot] of row.entries()) {
    above.push(at);
    const lanes = stack.lanes.has(spot) && stack.lanes.has(row[i + 1] ?? "");
    at += (stack.heights.get(spot) ?? 0) + (lanes ? LANE : ROOM);
  }
  const blocks: { mean: number; weight: number; count: number }[] = [];
  for (const [i, { aim, weight }] of aims.entries()) {
    let block = { mean: aim - (above[i] ?? 0), weight, count: 1 };
    for (let last = blocks.at(-1); last && last.mean > block.mean; last = blocks.at(-1)) {
      const sum = last.weight + block.weight;
      const mean = (last.mean * last.weight + block.mean * block.weight) / sum;
      block = { mean, weight: sum, count: last.count + block.count };
      blocks.pop();
    }
    blocks.push(block);
  }
  return blocks.flatMap(({ mean, count }) => Array<number>(count).fill(mean)).map((mean, i) => mean + (above[i] ?? 0));
}

/** The left and right edge of each layer; the more wires, the more room before the next. */
function edgesOf(sizes: ReadonlyMap<string, Size>, stack: Stack, room: (wires: number) => number): Point[] {
  let left = 0;
  return stack.rows.map((row, depth) => {
    const begin = left;
    const right = begin + Math.max(0, ...row.map((spot) => sizes.get(spot)?.width ?? 0));
    left = right + room(stack.pieces[depth]?.length ?? 0);
    return [begin, right] as const;
  });
}
