/** What is the same in a graph that was read anew stays the same object, so that only what changed is drawn again. */

import type { Graph } from "./graph";

/** Whether two values say the same: scalars, lists, maps in their order, and objects of such. */
export function same(one: unknown, other: unknown): boolean {
  if (Object.is(one, other)) return true;
  if (typeof one !== "object" || typeof other !== "object" || !one || !other) return false;
  if (one instanceof Map || other instanceof Map)
    return one instanceof Map && other instanceof Map && one.size === other.size && same([...one], [...other]);
  const [keys, others] = [Object.keys(one), Object.keys(other)];
  return (
    Array.isArray(one) === Array.isArray(other) &&
    keys.length === others.length &&
    keys.every((key) => same((one as Entries)[key], (other as Entries)[key]))
  );
}
type Entries = Record<string, unknown>;

/** The newer map with the entries of the older one where they are the same; the older one where all are. */
function shared<V>(older: ReadonlyMap<string, V>, newer: ReadonlyMap<string, V>): ReadonlyMap<string, V> {
  const names = [...older.keys()];
  const merged = [...newer].map(([name, value]) => [name, kept(older.get(name), value)] as const);
  const stays = merged.every(([name, value], n) => names[n] === name && older.get(name) === value);
  return stays && names.length === merged.length ? older : new Map(merged);
}
const kept = <V>(older: V | undefined, newer: V): V => (older !== undefined && same(older, newer) ? older : newer);

/** The newer graph with what it has in common with the older one; the older one itself where they are the same. */
export function sharing(older: Graph, newer: Graph): Graph {
  const found = Object.fromEntries(
    Object.entries(newer).map(([key, value]) => {
      const before = older[key as keyof Graph];
      return [key, value instanceof Map ? shared(before as ReadonlyMap<string, unknown>, value) : value];
    }),
  ) as unknown as Graph;
  return Object.entries(found).every(([key, value]) => value === older[key as keyof Graph]) ? older : found;
}
