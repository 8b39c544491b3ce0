/** The cheapest one-to-one assignment (Kuhn 1955; the shortest augmenting paths of Jonker & Volgenant 1987). */

/**
 * For each of `columns` columns the row that serves it, no row twice, so that the costs add up to the least: `cost` is (rows, columns), row-major.
 * Needs as many rows as columns at least. A cost that is not finite counts as very large.
 */
export function cheapestRows(cost: ArrayLike<number>, rows: number, columns: number): number[] {
  const at = (row: number, column: number): number => {
    const value = cost[row * columns + column]!;
    return Number.isFinite(value) ? value : 1e9;
  };
  const rowPotential = new Float64Array(rows + 1);
  const columnPotential = new Float64Array(columns + 1);
  /** The column that each row serves, from 1; 0: none. Row 0 stands for the column that is being served. */
  const serves = new Int32Array(rows + 1);
  for (let column = 1; column <= columns; column++) {
    serves[0] = column;
    const least = new Float64Array(rows + 1).fill(Number.POSITIVE_INFINITY);
    const before = new Int32Array(rows + 1);
    const used = new Uint8Array(rows + 1);
    let row = 0;
    do {
      used[row] = 1;
      const served = serves[row]!;
      let [next, step] = [0, Number.POSITIVE_INFINITY];
      for (let r = 1; r <= rows; r++) {
        if (used[r]) continue;
        const reduced = at(r - 1, served - 1) - columnPotential[served]! - rowPotential[r]!;
        if (reduced < least[r]!) {
          least[r] = reduced;
          before[r] = row;
        }
        if (least[r]! < step) [next, step] = [r, least[r]!];
      }
      for (let r = 0; r <= rows; r++) {
        if (used[r]) {
          columnPotential[serves[r]!]! += step;
          rowPotential[r]! -= step;
        } else least[r]! -= step;
      }
      row = next;
    } while (serves[row] !== 0);
    while (row !== 0) {
      serves[row] = serves[before[row]!]!;
      row = before[row]!;
    }
  }
  const found = new Array<number>(columns).fill(-1);
  for (let r = 1; r <= rows; r++) if (serves[r]) found[serves[r]! - 1] = r - 1;
  return found;
}
