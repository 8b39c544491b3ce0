/** A score matrix with its four quarters as SVG (the figure of the four layer kinds in arXiv:2011.15124). */
import { escapeHtml } from "./html.ts";

/** What is drawn. Rows ask, columns answer; the text comes first. */
export interface DrawnMatrix {
  readonly title: string;
  /** (size, size); −∞ and NaN are cells that there are none of. */
  readonly values: Float32Array;
  readonly size: number;
  /** The text's pieces, one a row. */
  readonly words: readonly string[];
  /** What the darkest and the palest colour mean; the largest and smallest value unless said. */
  readonly range?: readonly [low: number, high: number] | undefined;
}

/** Pixels of a cell, of the margin that words stand in, and of the title. */
const [CELL, MARGIN, HEAD] = [12, 90, 44];
/** How many colours tell values apart. */
const SHADES = 64;
/** A matrix with more cells along a side is drawn smaller. */
const MOST = 80;

/** One figure; a cell is coloured by its value, quarters that are closed are hatched. */
export function scoreSvg({ title, values, size, words, range }: DrawnMatrix): string {
  const cell = size > MOST ? Math.max(2, Math.floor((CELL * MOST) / size)) : CELL;
  const side = cell * size;
  const split = cell * words.length;
  const [low, high] = range ?? rangeOf(values);
  // One path a shade: a cell costs a few bytes.
  const shades: string[] = Array.from({ length: SHADES }, () => "");
  for (let r = 0; r < size; r++)
    for (let c = 0; c < size; c++) {
      const value = values[r * size + c]!;
      if (!Number.isFinite(value)) continue;
      const shade = Math.min(SHADES - 1, Math.max(0, Math.floor(((value - low) / (high - low || 1)) * SHADES)));
      shades[shade] += `M${MARGIN + c * cell} ${HEAD + MARGIN + r * cell}h${cell}v${cell}h-${cell}z`;
    }
  const cells = shades.flatMap((d, i) => (d === "" ? [] : [`<path fill="${colour(i / (SHADES - 1))}" d="${d}"/>`]));
  const quarters = (
    [
      ["text–text", 0, 0, split, split],
      ["text–vision", split, 0, side - split, split],
      ["vision–text", 0, split, split, side - split],
      ["vision–vision", split, split, side - split, side - split],
    ] as const
  ).map(([name, x, y, w, h]) => {
    const open = hasValues(values, size, [y / cell, (y + h) / cell], [x / cell, (x + w) / cell]);
    const place = `x="${MARGIN + x}" y="${HEAD + MARGIN + y}" width="${w}" height="${h}"`;
    return `<rect ${place} fill="${open ? "none" : "url(#closed)"}" stroke="#333" stroke-width="1.5"><title>${name}${open ? "" : ": closed"}</title></rect>`;
  });
  const labels =
    cell < 8
      ? []
      : words.flatMap((word, i) => {
          const [along, name] = [HEAD + MARGIN + (i + 0.75) * cell, escapeHtml(word)];
          const down = MARGIN + (i + 0.75) * cell;
          return [
            `<text x="${MARGIN - 4}" y="${along}" text-anchor="end">${name}</text>`,
            `<text transform="translate(${down} ${HEAD + MARGIN - 4}) rotate(-60)">${name}</text>`,
          ];
        });
  const vision = [
    `<text x="${MARGIN - 4}" y="${HEAD + MARGIN + (split + side) / 2}" text-anchor="end" class="side">picture</text>`,
    `<text x="${MARGIN + (split + side) / 2}" y="${HEAD + MARGIN - 8}" text-anchor="middle" class="side">picture</text>`,
  ];
  const width = MARGIN + side + 20;
  const height = HEAD + MARGIN + side + 30;
  const scale = `<text x="${MARGIN}" y="${height - 10}">pale ${short(low)}, dark ${short(high)}; rows ask, columns answer</text>`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="sans-serif" font-size="10" fill="#222">
<defs><pattern id="closed" width="8" height="8" patternUnits="userSpaceOnUse"><rect width="8" height="8" fill="#f4f4f4"/><path d="M0 8L8 0" stroke="#ccc"/></pattern></defs>
<rect width="${width}" height="${height}" fill="#fff"/>
<text x="${MARGIN}" y="18" font-size="13" font-weight="bold">${escapeHtml(title)}</text>
${[...quarters.filter((q) => q.includes("#closed")), ...cells, ...quarters.filter((q) => !q.includes("#closed")), ...labels, ...vision, scale].join("\n")}
</svg>
`;
}

function rangeOf(values: Float32Array): [number, number] {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of values) if (Number.isFinite(value)) [low, high] = [Math.min(low, value), Math.max(high, value)];
  return low <= high ? [low, high] : [0, 1];
}

function hasValues(
  values: Float32Array,
  size: number,
  [top, bottom]: readonly [number, number],
  [left, right]: readonly [number, number],
): boolean {
  for (let r = top; r < bottom; r++)
    for (let c = left; c < right; c++) if (Number.isFinite(values[r * size + c]!)) return true;
  return false;
}

/** White to dark blue. */
function colour(share: number): string {
  const t = Math.min(1, Math.max(0, share));
  const mixed = [255, 255, 255].map((from, i) => Math.round(from + t * ([8, 48, 107][i]! - from)));
  return `#${mixed.map((n) => n.toString(16).padStart(2, "0")).join("")}`;
}

const short = (x: number): string => (Math.abs(x) >= 100 ? x.toFixed(0) : x.toPrecision(3));
