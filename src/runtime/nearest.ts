/** Spelling help: the known names that are closest to a wrong one. */

/** Levenshtein distance. */
export function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next[j] = Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1));
    row = next;
  }
  return row[b.length]!;
}

/** A hint such as `did you mean "input_ids"?`, or the list of names when none is near. */
export function nearest(name: string, known: readonly string[]): string {
  const ranked = known.map((k) => ({ k, d: distance(name, k) })).sort((x, y) => x.d - y.d);
  const best = ranked[0];
  if (best && best.d <= Math.max(2, name.length / 3)) return `did you mean "${best.k}"?`;
  if (known.length === 0) return "there are none yet";
  return `known: ${known.slice(0, 12).join(", ")}${known.length > 12 ? `, … (${known.length})` : ""}`;
}
