/** How well a run's codebook keeps colours, for its card: the last that was measured of it. */
import type { MetricsLine } from "../record/index.ts";
import { table } from "./markdown.ts";

const ROWS = [
  ["made of visual words", ""],
  ["one colour a patch, its mean", "patch_"],
  ["one colour a picture, its mean", "picture_"],
] as const;

/** As Markdown; undefined where no codebook was measured. */
export function codebookCard(lines: readonly MetricsLine[]): string | undefined {
  const last = lines.findLast(({ values }) => typeof values["eval/codebook/colour_error"] === "number");
  if (!last) return undefined;
  const digits = (name: string): string => last.values[`eval/codebook/${name}`]?.toFixed(1) ?? "";
  const rows = ROWS.map(([of, prefix]) => [of, digits(`${prefix}colour_error`), digits(`${prefix}lightness_error`)]);
  return `Validation pictures as its image codebook gives them back: mean errors of pixels in CIELAB, √(Δa*² + Δb*²) and |ΔL*|, the two parts of ΔE*ab (CIE 1976).\n\n${table(["pictures", "error in colour", "in lightness"], rows)}`;
}
