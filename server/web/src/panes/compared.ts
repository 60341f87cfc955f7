/** Two texts line by line. */

export interface Row {
  mine: string;
  theirs: string;
  same: boolean;
}

/** The lines of two texts beside each other, by a longest common subsequence; equal stretches are shortened. */
export function compared(mine: string, theirs: string, around = 2): Row[] {
  const [one, other] = [mine.split("\n"), theirs.split("\n")];
  const rows = aligned(one, other, common(one, other));
  const near = rows.map((_, n) => rows.slice(Math.max(0, n - around), n + around + 1).some((row) => !row.same));
  return rows.filter((_, n) => near[n]);
}

/** For each pair of suffixes, how many lines they have in common. */
function common(one: readonly string[], other: readonly string[]): Uint16Array[] {
  const table = Array.from({ length: one.length + 1 }, () => new Uint16Array(other.length + 1));
  for (let i = one.length - 1; i >= 0; i--) {
    for (let j = other.length - 1; j >= 0; j--) {
      table[i]![j] = one[i] === other[j] ? table[i + 1]![j + 1]! + 1 : Math.max(table[i + 1]![j]!, table[i]![j + 1]!);
    }
  }
  return table;
}

function aligned(one: readonly string[], other: readonly string[], table: Uint16Array[]): Row[] {
  const rows: Row[] = [];
  let [i, j] = [0, 0];
  while (i < one.length || j < other.length) {
    if (i < one.length && j < other.length && one[i] === other[j])
      rows.push({ mine: one[i++]!, theirs: other[j++]!, same: true });
    else if (j >= other.length || (i < one.length && table[i + 1]![j]! >= table[i]![j + 1]!))
      rows.push({ mine: one[i++]!, theirs: "", same: false });
    else rows.push({ mine: "", theirs: other[j++]!, same: false });
  }
  return rows;
}
