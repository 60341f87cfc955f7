/** Places and paths on a canvas where some boxes were moved by hand. */

import { type Link, type Places, type Point, ROOM, type Size } from "./layout";

/** The places that are kept, and beside what they are wired to those of the other boxes, where nothing stands. */
export function completed(kept: Places, all: Places, sizes: ReadonlyMap<string, Size>, links: readonly Link[]): Places {
  const places = new Map([...kept].filter(([name]) => all.has(name)));
  if (!places.size) return all;
  for (const [name, [x, y]] of all) {
    if (places.has(name)) continue;
    const beside = links.flatMap(({ source, target }) =>
      source === name ? [target] : target === name ? [source] : [],
    );
    const anchor = beside.find((other) => places.has(other)) ?? places.keys().next().value ?? name;
    const [[fromX, fromY], [toX, toY]] = [all.get(anchor) ?? [x, y], places.get(anchor) ?? [x, y]];
    places.set(name, freed(places, sizes, name, [x + toX - fromX, y + toY - fromY]));
  }
  return places;
}

/** The next place below at which a box covers no other. */
function freed(
  places: Places,
  sizes: ReadonlyMap<string, Size>,
  name: string,
  [x, wanted]: readonly [number, number],
): [number, number] {
  const { width, height } = sizes.get(name) ?? { width: 0, height: 0 };
  const beside = [...places].flatMap(([other, [left, top]]) => {
    const size = sizes.get(other);
    return size && left < x + width && x < left + size.width ? [[top, top + size.height] as const] : [];
  });
  let y = wanted;
  for (const [top, bottom] of beside.toSorted((a, b) => a[0] - b[0])) {
    if (top < y + height + ROOM && y < bottom + ROOM) y = bottom + ROOM;
  }
  return [x, y];
}

/** An SVG path along the points of a wire, level at each of them. */
export function pathAlong(points: readonly Point[]): string {
  const [start, ...rest] = points;
  if (!start) return "";
  let [x, y] = start;
  const parts = rest.map(([endX, endY]) => {
    const bend = endX > x ? Math.max((endX - x) / 2, 24) : 60;
    const part = y === endY && endX > x ? `H${endX}` : `C${x + bend} ${y} ${endX - bend} ${endY} ${endX} ${endY}`;
    [x, y] = [endX, endY];
    return part;
  });
  return `M${start[0]} ${start[1]} ${parts.join(" ")}`;
}
