/** Checks that several kinds of stages share: sizes that fit the model, sources that exist. */
import type { PatchMasking } from "../../data/index.ts";
import { gridSize } from "../../models/vit/index.ts";
import type { DataKind } from "../recipe/types.ts";
import type { Report, Unplaced } from "./stage.ts";

const PAIRS_SERVE: Readonly<Record<DataKind, string>> = {
  pairs: "",
  images: " (the sources of data.pairs may stand there too: of a pair its picture is read)",
  texts: " (the sources of data.pairs may stand there too: of a pair its caption is read)",
};

/** Reports a kind of data that is read and has no source. */
export function checkSource(
  { data }: Pick<Unplaced, "data">,
  kind: DataKind,
  report: Report,
  path: readonly string[] = [],
): void {
  if (data[kind].length > 0) return;
  const others = data.pairs.length === 0 ? "" : PAIRS_SERVE[kind];
  report(path, `this reads ${kind}, but data.${kind} is empty${others}`);
}

interface WithPositions {
  readonly model: { readonly text: { readonly maxPositions: number } };
}

/** Reports a text length that the model cannot take or that holds no word. */
export function checkLength({ model }: WithPositions, length: number, report: Report, path: readonly string[]): void {
  if (length > model.text.maxPositions)
    report(path, `${length} tokens are more than model.text.maxPositions ${model.text.maxPositions}`);
  if (length < 3) report(path, `${length} tokens hold no word between [CLS] and [SEP]: expected 3 or more`);
}

/** Reports patch masks that do not fit the grid. */
export function checkPatches(
  { model }: Unplaced,
  masking: PatchMasking,
  report: Report,
  path: readonly string[],
): void {
  const { patches, minBlock, maxBlock } = masking;
  const grid = gridSize(model.image);
  if (patches > grid * grid)
    report(
      [...path, "patches"],
      `${patches} masked patches are more than the ${grid} × ${grid} = ${grid * grid} there are`,
    );
  if (minBlock > patches) report([...path, "minBlock"], `a block of ${minBlock} is more than the ${patches} to mask`);
  if (maxBlock !== null && maxBlock < minBlock)
    report([...path, "maxBlock"], `expected ${minBlock} (minBlock) or more, got ${maxBlock}`);
}
