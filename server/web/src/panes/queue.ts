/** Where a waiting job goes by a key: before which other one; null is behind all. */
export function neighbours(ids: readonly string[], id: string): Readonly<Record<string, string | null>> {
  const at = ids.indexOf(id);
  return {
    ...(at > 0 ? { ArrowUp: ids[at - 1]!, Home: ids[0]! } : {}),
    ...(at < ids.length - 1 ? { ArrowDown: ids[at + 2] ?? null, End: null } : {}),
  };
}
