import { describe, expect, it } from "vitest";
import { normals, only } from "../../../test/support/finite-difference.ts";
import "../../../test/support/matchers.ts";
import { FLOAT64 } from "../../../test/support/tolerances.ts";
import { graph, input, interpret, stopGradient, type Value } from "../../graph/index.ts";
import { Params, token } from "../../nn/index.ts";
import { dinoCenter, dinoLoss } from "../../objectives/index.ts";
import { ema, gradients, sgd } from "../../optim/index.ts";
import { fromNumbers, type Tensor, toNumbers } from "../../tensor/index.ts";
import { variants } from "../flava/index.ts";
import { imageEncoder } from "../vit/index.ts";
import { dinoHead, dinoHeadConfig, dinoImageConfig, dinoScores, TEACHER, teacherName } from "./index.ts";

const image = dinoImageConfig(variants.tiny.image);
const head = { hiddenSize: 6, bottleneckSize: 4, outputSize: 5, normLastLayer: true };
const config = { image, head, interpolate: "dino" as const };
const parameters = (p: Params): Record<string, Tensor> =>
  Object.fromEntries(p.specs().map((s) => [s.name, normals(s.name.replace(/^teacher\./, ""), s.shape)]));

function run(outputs: Record<string, Value>, feeds: Record<string, Tensor>): Record<string, Tensor> {
  const g = graph("dino", outputs);
  return interpret(g, only(g, feeds));
}

describe("dinoHead", () => {
  it("has the published names and sizes", () => {
    const p = new Params();
    expect(dinoHead(p.at("head"), input("x", [1, 768]), dinoHeadConfig).shape).toEqual([1, 65536]);
    expect(p.specs().map(({ name, shape }) => [name, shape])).toEqual([
      ["head.mlp.0.weight", [2048, 768]],
      ["head.mlp.0.bias", [2048]],
      ["head.mlp.2.weight", [2048, 2048]],
      ["head.mlp.2.bias", [2048]],
      ["head.mlp.4.weight", [256, 2048]],
      ["head.mlp.4.bias", [256]],
      ["head.last_layer.weight_v", [65536, 256]],
      ["head.last_layer.weight_g", [65536, 1]],
    ]);
  });
  it("gives cosines between features and prototypes while the gain is 1", () => {
    const p = new Params();
    const y = dinoHead(p, input("x", [3, 4]), head);
    const feeds: Record<string, Tensor> = {
      ...parameters(p),
      x: normals("rows", [3, 4]),
      "last_layer.weight_g": fromNumbers([1, 1, 1, 1, 1], [5, 1]),
    };
    const scores = toNumbers(run({ y }, feeds).y!);
    expect(Math.max(...scores.map(Math.abs))).toBeLessThanOrEqual(1);
    const scaled = {
      ...feeds,
      "last_layer.weight_v": fromNumbers(
        toNumbers(feeds["last_layer.weight_v"]!).map((v) => 7 * v),
        [5, 4],
        "float64",
      ),
    };
    expect(toNumbers(run({ y }, scaled).y!)).toBeAllclose(scores, FLOAT64);
  });
  it("trains its gain only when asked to", () => {
    for (const normLastLayer of [true, false]) {
      const p = new Params();
      const y = dinoHead(p, input("x", [3, 4]), { ...head, normLastLayer });
      const { loss } = dinoLoss({
        student: y,
        teacher: stopGradient(y),
        center: input("c", [1, 5]),
        crops: 3,
        globalCrops: 3,
        teacherTemperature: 0.1,
      });
      expect(Object.hasOwn(gradients(loss, p.values()), "last_layer.weight_g")).toBe(!normLastLayer);
    }
  });
});

describe("dinoScores", () => {
  const p = new Params();
  const [large, little] = [input("large", [4, 3, 32, 32]), input("little", [6, 3, 16, 16])];
  const scores = dinoScores(p, config, [large, little]);
  const feeds = {
    ...parameters(p),
    large: normals("large", [4, 3, 32, 32]),
    little: normals("little", [6, 3, 16, 16]),
  };
  it("puts crops of all sizes through one encoder and one head, in order", () => {
    const alone = dinoHead(
      p.at("dino_head"),
      token(imageEncoder(p.at("flava.image_model"), image, little, { interpolate: "dino" }).last_hidden_state, 0),
      head,
    );
    const found = run({ scores, alone }, feeds);
    expect(found.scores!.shape).toEqual([10, 5]);
    expect(toNumbers(found.scores!).slice(4 * 5)).toBeAllclose(toNumbers(found.alone!), FLOAT64);
  });
  it("names the encoder as FLAVA does, and a teacher beside it", () => {
    const both = new Params();
    dinoScores(both, config, [large]);
    dinoScores(both.at(TEACHER), config, [large]);
    const names = both.specs().map(({ name }) => name);
    const students = names.filter((name) => !name.startsWith("teacher."));
    expect(names.filter((name) => name.startsWith("teacher."))).toEqual(students.map(teacherName));
    expect(students).toContain("flava.image_model.encoder.layer.1.attention.attention.query.weight");
    const position = both.specs().find(({ name }) => name.endsWith("position_embeddings"))!;
    expect(position.init).toEqual({ kind: "truncatedNormal", std: 0.02, bound: 2 });
    expect(both.specs().find(({ name }) => name.endsWith("mask_token"))!.init).toEqual({ kind: "zeros" });
  });
});

describe("one step of DINO", () => {
  it("moves the student by its gradient and the teacher by averaging, nothing else", () => {
    const p = new Params();
    const crops = [input("global", [4, 3, 32, 32]), input("local", [2, 3, 16, 16])];
    const student = dinoScores(p, config, crops);
    const teacher = dinoScores(p.at(TEACHER), config, crops.slice(0, 1));
    const center = input("center", [1, 5]);
    const { loss } = dinoLoss({ student, teacher, center, crops: 3, teacherTemperature: 0.04 });
    const all = gradients(loss, p.values());
    expect(Object.keys(all).some((name) => name.startsWith("teacher."))).toBe(false);
    const { updates } = sgd(p.values(), all);
    const averaged = ema(updates, 0.9, teacherName);
    const feeds = {
      ...parameters(p),
      global: normals("g", [4, 3, 32, 32]),
      local: normals("l", [2, 3, 16, 16]),
      center: normals("center", [1, 5]),
      lr: fromNumbers([0.1], []),
    };
    const name = "flava.image_model.encoder.layer.0.output.dense.weight";
    const found = run(
      { next: updates[name]!, mean: averaged[teacherName(name)]!, center: dinoCenter(center, teacher), teacher },
      feeds,
    );
    const [old, next] = [toNumbers(feeds[name as keyof typeof feeds] as Tensor), toNumbers(found.next!)];
    expect(Math.max(...next.map((x, i) => Math.abs(x - old[i]!)))).toBeGreaterThan(1e-6);
    const before = toNumbers((feeds as Record<string, Tensor>)[teacherName(name)]!);
    expect(toNumbers(found.mean!)).toBeAllclose(
      next.map((x, i) => 0.9 * before[i]! + 0.1 * x),
      FLOAT64,
    );
    const rows = toNumbers(found.teacher!);
    const mean = [0, 1, 2, 3, 4].map((k) => [0, 1, 2, 3].reduce((s, r) => s + rows[r * 5 + k]!, 0) / 4);
    const c = toNumbers(feeds.center);
    expect(toNumbers(found.center!)).toBeAllclose(
      mean.map((m, k) => 0.9 * c[k]! + 0.1 * m),
      FLOAT64,
    );
  });
});
