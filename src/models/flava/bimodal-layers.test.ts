/** FLAVA with other layers in its multimodal encoder: which scores are left, what reads what, and its files. */
import { describe, expect, it } from "vitest";
import { filledAll } from "../../../test/golden/compared.ts";
import { golden } from "../../../test/golden/numbers.ts";
import { evaluate } from "../../../test/golden/run.ts";
import { pairCase, tinyBatch, tinyConfig, tinyParameters, tinySizes } from "../../../test/golden/tiny-case.ts";
import "../../../test/support/matchers.ts";
import { input, type Value } from "../../graph/index.ts";
import { bimodalGates, Params, type Taps } from "../../nn/index.ts";
import { gradients } from "../../optim/index.ts";
import { size, type Tensor, toNumbers } from "../../tensor/index.ts";
import {
  type FlavaConfig,
  type FlavaConfigInput,
  flavaConfig,
  flavaFamily,
  flavaParameters,
  fromHuggingFaceConfig,
  inferFlavaConfig,
  multimodalEncoder,
  multimodalGraph,
  toHuggingFaceConfig,
} from "./index.ts";

const CLOSED = -1e30;
const [V, T] = [5, 4];

const configOf = (multimodal: FlavaConfigInput["multimodal"], from: FlavaConfigInput = tinyConfig): FlavaConfig =>
  flavaConfig({ ...from, multimodal: { ...from.multimodal, ...multimodal } });

/** The encoder on 2 × (CLS_M and 4 image tokens, 4 text tokens, the last of sample 1 hidden). */
function encoded(multimodal: FlavaConfigInput["multimodal"]) {
  const p = new Params();
  const taps: Taps = new Map();
  const config = configOf(multimodal).multimodal;
  const [image, text] = [input("image", [2, V - 1, 16]), input("text", [2, T, 16])];
  const attention_mask = input("keep", [2, T], "int32");
  const { last_hidden_state } = multimodalEncoder(p, config, image, text, { attention_mask, out: taps });
  const keep: Tensor = { dtype: "int32", shape: [2, T], data: Int32Array.of(1, 1, 1, 1, 1, 1, 1, 0) };
  const feeds = { image: golden("image", [2, 4, 16], -1, 1), text: golden("text", [2, 4, 16], -1, 1), keep };
  return { p, shown: { last_hidden_state, ...Object.fromEntries(taps) } as Record<string, Value>, feeds };
}

/** With the weights of the single stream for both modalities, so that kinds can be compared. */
function run({ p, shown, feeds }: ReturnType<typeof encoded>): Record<string, Tensor> {
  const same = p.specs().map(({ name, shape }) => {
    const value = filledAll([{ name: name.replace(/\bv_/, ""), shape }]);
    return [name, Object.values(value)[0]!] as const;
  });
  return evaluate(shown, { ...feeds, ...Object.fromEntries(same) });
}

/** Rows from r0 and columns from c0 of sample 0's first head. */
function quarter(t: Tensor, rows: readonly [number, number], columns: readonly [number, number]): number[] {
  const all = toNumbers(t).slice(0, (V + T) ** 2);
  return all.filter((_, i) => {
    const [r, c] = [Math.floor(i / (V + T)), i % (V + T)];
    return r >= rows[0] && r < rows[1] && c >= columns[0] && c < columns[1];
  });
}
const VISION = [0, V] as const;
const TEXT = [V, V + T] as const;
const QUARTERS = {
  visionVision: [VISION, VISION],
  visionText: [VISION, TEXT],
  textVision: [TEXT, VISION],
  textText: [TEXT, TEXT],
} as const;

describe("the score matrix of a layer", () => {
  const whole = run(encoded({ layer: "single-stream" }));
  it.each(["intra-modal", "inter-modal"] as const)("of an %s layer has the single stream's open quarters", (layer) => {
    const found = run(encoded({ layer }));
    const [scores, probabilities] = [found["encoder.layer.0.scores"]!, found["encoder.layer.0.probabilities"]!];
    for (const [gate, [rows, columns]] of Object.entries(QUARTERS)) {
      const own = quarter(scores, rows, columns);
      if (bimodalGates[layer][gate as keyof typeof QUARTERS])
        expect(own, gate).toEqual(quarter(whole["encoder.layer.0.scores"]!, rows, columns));
      else {
        expect(own.every((score) => score < CLOSED)).toBe(true);
        expect(quarter(probabilities, rows, columns).every((share) => share === 0)).toBe(true);
      }
    }
  });
  it("has shares that sum to 1 in every row, and none on hidden words", () => {
    for (const layer of ["single-stream", "intra-modal", "inter-modal", "gated"] as const) {
      const shares = toNumbers(run(encoded({ layer }))["encoder.layer.0.probabilities"]!);
      const M = V + T;
      for (let row = 0; row < shares.length / M; row++) {
        const own = shares.slice(row * M, (row + 1) * M);
        expect(own.reduce((a, b) => a + b)).toBeCloseTo(1, 12);
        if (row >= shares.length / M / 2) expect(own[M - 1]).toBe(0);
      }
    }
  });
  it("is empty where a modality reads none", () => {
    const gates = { visionText: false, visionVision: false };
    const found = run(encoded({ layer: "gated", gates }))["encoder.layer.0.probabilities"]!;
    expect(quarter(found, VISION, [0, V + T]).every((share) => share === 0)).toBe(true);
    expect(quarter(found, TEXT, [0, V + T]).some((share) => share > 0)).toBe(true);
  });
});

describe("the gated layer", () => {
  it.each(["single-stream", "intra-modal", "inter-modal"] as const)("at its extreme gates is the %s one", (layer) => {
    const [gated, kind] = [run(encoded({ layer: "gated", gates: bimodalGates[layer] })), run(encoded({ layer }))];
    expect(gated.last_hidden_state!.data).toEqual(kind.last_hidden_state!.data);
  });
});

describe("a FLAVA with such layers", () => {
  const count = (config: FlavaConfig): number =>
    flavaParameters(config)
      .filter(({ name }) => name.startsWith("flava.multimodal_model.encoder."))
      .reduce((n, { shape }) => n + size(shape), 0);
  it("has the single stream's weights once, the others' twice", () => {
    expect(count(configOf({ layer: "single-stream" }))).toBe(count(flavaConfig(tinyConfig)));
    for (const layer of ["intra-modal", "inter-modal", "gated"] as const)
      expect(count(configOf({ layer }))).toBe(2 * count(flavaConfig(tinyConfig)));
  });
  it.each([["single-stream"], ["inter-modal"], [["inter-modal", "intra-modal"]]] as const)(
    "with %s layers has a gradient of every parameter of them, and matching that reads the text",
    (layer) => {
      const config = configOf({ layer, layers: 2 });
      const c = pairCase(config, tinySizes);
      const g = gradients(c.objective.loss, c.params.values());
      const feeds = { ...tinyBatch([1, 0, 1]), ...tinyParameters(c.params.specs()) };
      const names = Object.keys(g).filter((name) => name.startsWith("flava.multimodal_model.encoder."));
      const found = evaluate(Object.fromEntries(names.map((name) => [name, g[name]!])), feeds);
      for (const name of names)
        if (!name.endsWith("key.bias"))
          expect(Math.max(...toNumbers(found[name]!).map(Math.abs)), name).toBeGreaterThan(1e-9);
    },
  );
  it("gives matrices of every layer, and maps of words where text reads the picture", () => {
    const model = flavaFamily.of(configOf({ layer: ["inter-modal", "intra-modal"], layers: 2 }));
    expect(model.attention).toBeUndefined();
    const { graph } = multimodalGraph(configOf({ layer: "inter-modal" }), {
      batch: 1,
      textLength: 3,
      attentions: true,
    });
    expect(graph.outputs["multimodal_scores.0"]!.shape).toEqual([1, 2, 21, 21]);
    expect(graph.outputs["multimodal_attentions.0"]!.shape).toEqual([1, 2, 21, 21]);
    expect(flavaFamily.of(configOf({ layer: "inter-modal" })).attention).toBeDefined();
  });
  it("comes back from its config.json, where others are told that their code does not have it", () => {
    const gates = { textText: true, textVision: true, visionText: false, visionVision: true };
    for (const config of [
      configOf({ layer: "inter-modal" }),
      configOf({ layer: ["gated", "single-stream"], layers: 2, gates }),
    ]) {
      const json = toHuggingFaceConfig(config);
      expect(fromHuggingFaceConfig(JSON.parse(JSON.stringify(json)))).toEqual(config);
      expect(JSON.stringify(json.flava_notes)).toContain("FlavaMultimodalModel does not have");
    }
    expect(toHuggingFaceConfig(flavaConfig(tinyConfig)).multimodal_config).not.toHaveProperty("bimodal_layer");
  });
  it("is not guessed from shapes", () => {
    const tensors = new Map(
      flavaParameters(configOf({ layer: "gated" })).map(({ name, shape }) => [
        name,
        { dtype: "float32" as const, shape },
      ]),
    );
    expect(() => inferFlavaConfig("x.safetensors", tensors)).toThrow(/do not say which modality reads which/);
  });
  it.each([
    [{ layer: ["gated"] as const, layers: 2 }, /multimodal.layer.*|expected one kind for all, or 2 kinds/],
    [{ layer: "gated" as const, qkvBias: false }, /have biases/],
    [
      {
        layer: "gated" as const,
        gates: { textText: false, textVision: false, visionText: false, visionVision: false },
      },
      /all are closed/,
    ],
  ])("refuses %j", (multimodal, message) => {
    expect(() => configOf(multimodal)).toThrow(message);
  });
});
