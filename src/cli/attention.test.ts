/** `flava attention`: score matrices of FLAVA and of each layer kind, beside each other. */
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { COLOURS, colourPicture } from "../../test/support/colour-pictures.ts";
import { temporaryFolder, writeFiles } from "../../test/support/data-fixtures.ts";
import { type Ran, runCommand } from "../../test/support/run-command.ts";
import { tinyModelFolder, tinyWeights } from "../../test/support/tiny-model.ts";
import { FlavaModel, quarterShares, sharesOf, withQuarters } from "../api/index.ts";
import { flavaConfig, variants } from "../models/flava/index.ts";
import { bimodalGates } from "../nn/index.ts";
import { define } from "./attention.ts";

type Layer = "single-stream" | "intra-modal" | "inter-modal" | "gated";
const TEXT = "a cat on the beach";

let folder: string;
let red: string;
const models = new Map<string, string>();
beforeAll(async () => {
  folder = await temporaryFolder();
  red = join(folder, "red.ppm");
  await writeFiles(folder, { "red.ppm": colourPicture(COLOURS.red!) });
  models.set("flava", await tinyModelFolder());
  for (const layer of ["single-stream", "intra-modal", "inter-modal", "gated"] as const) {
    const config = flavaConfig({ ...variants.tiny, multimodal: { ...variants.tiny.multimodal, layer } });
    // The single stream's weights for both modalities: names without "v_".
    const single = tinyWeights(
      flavaConfig({ ...config, multimodal: { ...config.multimodal, layer: "single-stream" } }),
    );
    const own = tinyWeights(config);
    const weights = Object.fromEntries(Object.keys(own).map((name) => [name, single[name.replace(/\bv_/, "")]!]));
    models.set(layer, await tinyModelFolder({ config, weights }));
  }
});
afterAll(async () => {
  for (const place of models.values()) await rm(place, { recursive: true });
});

const flava = (...args: string[]): Promise<Ran> => runCommand([define], "attention", ...args);

/** Words, then the picture: CLS_M, its own CLS, 16 patches. */
async function matrixOf(layer: string) {
  await using model = await FlavaModel.fromPretrained(models.get(layer)!, { threads: 1 });
  const { width, height, data } = { width: 4, height: 4, data: new Uint8Array(48).fill(90) };
  return await model.scores({ width, height, data }, TEXT);
}

describe("score matrices", () => {
  it("of the dual streams are quarters of the single stream's, and the gated layer's with open gates all of it", async () => {
    const whole = await matrixOf("single-stream");
    expect([whole.words.length, whole.vision]).toEqual([7, { before: 2, rows: 4, columns: 4 }]);
    expect(whole.layers.map(({ size }) => size)).toEqual([25]);
    for (const layer of ["intra-modal", "inter-modal"] as const) {
      const [own] = (await matrixOf(layer)).layers;
      expect(own!.scores).toBeAllclose(withQuarters(whole.layers[0]!, 7, bimodalGates[layer]).scores, { atol: 1e-4 });
    }
    expect((await matrixOf("gated")).layers[0]!.scores).toBeAllclose(whole.layers[0]!.scores, { atol: 1e-4 });
  });
  it("have shares that sum to 1 in each row, and nothing where a quarter is closed", async () => {
    const { layers, words } = await matrixOf("inter-modal");
    const shares = sharesOf(layers[0]!);
    const q = quarterShares(shares.subarray(0, 25 * 25), 25, words.length);
    expect([q.textText, q.visionVision]).toEqual([0, 0]);
    expect(q.textVision).toBeCloseTo(1, 5);
    expect(q.visionText).toBeCloseTo(1, 5);
  });
});

describe("flava attention", () => {
  it.each(["flava", "single-stream", "intra-modal", "inter-modal", "gated"])(
    "draws a %s's matrices",
    async (layer: string) => {
      const out = join(folder, `${layer}.svg`);
      const { error, stdout } = await flava(models.get(layer)!, red, TEXT, "--out", out);
      expect(error).toBeUndefined();
      expect(stdout).toMatch(/layer {2}text–text {2}text–vision {2}vision–text {2}vision–vision\n0 /);
      const svg = await readFile(out, "utf8");
      for (const quarter of ["text–text", "text–vision", "vision–text", "vision–vision"]) {
        const [from, to] = quarter.split("–") as ["text" | "vision", "text" | "vision"];
        const gate = `${from}${to === "text" ? "Text" : "Vision"}` as const;
        const gates = bimodalGates[layer as Exclude<Layer, "gated">] ?? bimodalGates["single-stream"];
        expect(svg, quarter).toContain(gates[gate] ? `<title>${quarter}</title>` : `<title>${quarter}: closed</title>`);
      }
      expect(svg.split("h12v12h-12z").length - 1).toBe(
        layer.startsWith("int") ? (layer === "intra-modal" ? 49 + 324 : 252) : 625,
      );
      expect(svg).toContain(">beach</text>");
    },
  );
  it("leaves the quarters of another kind, says numbers as JSON, and draws a page", async () => {
    const out = join(folder, "page.html");
    const { stdout } = await flava(
      models.get("flava")!,
      red,
      TEXT,
      "--kind",
      "intra-modal",
      "--show",
      "shares",
      "--head",
      "1",
      "--out",
      out,
      "--json",
    );
    const { layers, kind } = JSON.parse(stdout) as { kind: string; layers: { quarters: Record<string, number> }[] };
    expect([kind, layers[0]!.quarters.textVision]).toEqual(["intra-modal", 0]);
    expect(await readFile(out, "utf8")).toContain("Layer 0, head 1: shares, intra-modal");
  });
  it.each([
    [["--layer", "7"], /--layer: expected 0 to 0, got 7/],
    [["--head", "9"], /--head: expected 0 to 1, got 9/],
    [["--out", "x.png"], /--out: expected a name that ends in .svg or .html, got "x.png"/],
  ])("refuses %j", async (args, message) => {
    expect((await flava(models.get("flava")!, red, TEXT, ...args)).error).toMatchObject({
      message: expect.stringMatching(message),
    });
  });
});
