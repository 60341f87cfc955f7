/** Where a waiting job goes by a key: before which other one; null is behind all. */
export function neighbours(ids: readonly string[], id: string): Readonly<Record<string, string | null>> {
  const at = ids.indexOf(id);
  return {
    ...(at > 0 ? { ArrowUp: ids[at - 1]!, Home: ids[0]! } : {}),
    ...(at < ids.length - 1 ? { ArrowDown: ids[at + 2] ?? null, End: null } : {}),
  };
}

/** Before which other one a waiting job goes that is put onto one: it takes that one's place. */
export const inPlaceOf = (ids: readonly string[], id: string, other: string): string | null =>
  ids.indexOf(id) < ids.indexOf(other) ? (ids[ids.indexOf(other) + 1] ?? null) : other;
