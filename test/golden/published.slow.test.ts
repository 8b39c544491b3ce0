/**
 * The tensors of the published sizes, by name and shape, beside the committed list (UPDATE_PUBLISHED=1 writes it anew); counts are the
 * reference's where it has one. FLAVA, ViLT, ALBEF and ALIGN have lists of their own. Slow: builds the graphs of 14 large models.
 */
import { writeFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { clipParameters, clipVariants } from "../../src/models/clip/index.ts";
import { simvlmParameters, simvlmVariants } from "../../src/models/simvlm/index.ts";
import { unitParameters, unitVariants } from "../../src/models/unit/index.ts";
import { vinvlParameters, vinvlVariants } from "../../src/models/vinvl/index.ts";
import { voltaParameters, voltaVariants } from "../../src/models/volta/index.ts";
import type { ParamSpec } from "../../src/nn/index.ts";
import { size } from "../../src/tensor/index.ts";
import published from "./compared/published-parameters.json" with { type: "json" };

const PATH = new URL("./compared/published-parameters.json", import.meta.url);

/** Tensors that differ by a number alone in one line: "….layers.#.mlp.fc1.weight (3072, 768)" → "0…11". */
function folded(specs: readonly ParamSpec[]): Record<string, string> {
  const found: Record<string, string[]> = {};
  for (const { name, shape, buffer } of specs) {
    const numbers = [...name.matchAll(/(?<=\.)\d+(?=\.)/g)].map(([number]) => number);
    const line = `${name.replace(/(?<=\.)\d+(?=\.)/g, "#")} (${shape.join(", ")})${buffer ? " kept" : ""}`;
    found[line] = [...(found[line] ?? []), numbers.join(".")];
  }
  return Object.fromEntries(Object.entries(found).map(([line, numbers]) => [line, ranges(numbers)]));
}

/** "0", "1", "2", "5" → "0…2 5". */
function ranges(numbers: readonly string[]): string {
  const runs: string[][] = [];
  for (const number of numbers) {
    const last = runs.at(-1);
    if (last && /^\d+$/.test(number) && Number(number) === Number(last.at(-1)) + 1) last.push(number);
    else runs.push([number]);
  }
  return runs.map((run) => (run.length > 1 ? `${run[0]}…${run.at(-1)}` : run[0])).join(" ");
}

const MODELS: Readonly<Record<string, () => ParamSpec[]>> = {
  ...Object.fromEntries(
    ["clip-vit-b-32", "base", "clip-vit-l-14", "clip-rn50"].map((name) => [
      name === "base" ? "clip-vit-b-16" : name,
      () => clipParameters(clipVariants[name]!),
    ]),
  ),
  simvlm: () => simvlmParameters(simvlmVariants.base!),
  unit: () => unitParameters(unitVariants.base!),
  vinvl: () => vinvlParameters(vinvlVariants.base!),
  ...Object.fromEntries(
    Object.entries(voltaVariants)
      .filter(([name]) => name !== "base")
      .map(([name, config]) => [name, () => voltaParameters(config)]),
  ),
};

/** Of the reference. */
const COUNTS: Readonly<Record<string, number>> = {
  "clip-vit-b-32": 151_277_313,
  "clip-vit-b-16": 149_620_737,
  "clip-vit-l-14": 427_616_513,
  "lxmert-base-uncased": 228_051_752,
};

describe("the published sizes", () => {
  if (process.env.UPDATE_PUBLISHED)
    it("are written", async () => {
      const lists = Object.fromEntries(Object.entries(MODELS).map(([name, specs]) => [name, folded(specs())]));
      await writeFile(PATH, `${JSON.stringify(lists, null, 1)}\n`);
    });
  it.each(Object.entries(MODELS))("of %s have the committed tensors", (name, specs) => {
    const all = specs();
    expect(folded(all)).toEqual((published as Record<string, object>)[name]);
    const count = all.filter(({ buffer }) => !buffer).reduce((n, { shape }) => n + size(shape), 0);
    if (COUNTS[name] !== undefined) expect(count).toBe(COUNTS[name]);
  });
});
