/** The image stage by self-distillation: a student, its averaged teacher, and many crops (DINO, arXiv:2104.14294). */

import { add, input, mean, mul, reshape, type Value } from "../../graph/index.ts";
import type { DinoOptions } from "../../image/index.ts";
import { dinoOptions } from "../../image/index.ts";
import { type DinoConfig, dinoImageConfig, dinoScores, TEACHER, teacherName } from "../../models/dino/index.ts";
import type { Params } from "../../nn/index.ts";
import { dinoLoss } from "../../objectives/index.ts";
import { dinoSchedule, linearRamp, scalarInput } from "../../optim/index.ts";
import { zerosLike } from "../../tensor/index.ts";
import type { Judged, StagePlan } from "../../train/stage.ts";
import type { ImageDinoStage, Recipe } from "../recipe/types.ts";

const CENTER = "dino.center";
const GLOBAL_CROPS = 2;

/** The plan of an image stage by DINO. */
export function planImageDino({ model }: Recipe, stage: ImageDinoStage): StagePlan {
  const config: DinoConfig = { image: dinoImageConfig(model.image), head: stage.head, interpolate: "dino" };
  const { teacherTemperature: tau, teacherMomentum, centerMomentum, freezeLastLayerSteps } = stage;
  const temperature = linearRamp(tau.start, tau.end, tau.steps);
  const momentum = dinoSchedule(teacherMomentum[0], teacherMomentum[1], stage.steps);
  const K = stage.head.outputSize;
  return {
    kinds: {
      dino: { batchSize: stage.batchSize, sampleAxis: 1, judge: (p, batch) => judge(p, config, stage, batch) },
    },
    datasets: [{ kind: "dino", data: "images", build: { kind: "dino", dino: viewsOf(model.image.imageSize, stage) } }],
    scalars: (step) => ({
      teacher_temperature: temperature(step - 1),
      teacher_momentum: momentum(step - 1),
      last_layer: step > freezeLastLayerSteps ? 1 : 0,
    }),
    gate: (name) => (name.startsWith("dino_head.last_layer.") ? scalarInput("last_layer") : undefined),
    average: { name: teacherName, decay: scalarInput("teacher_momentum") },
    carried: {
      initial: { [CENTER]: zerosLike("float32", [1, K]) },
      next: ({ teacher_mean }) => ({
        [CENTER]: add(mul(input(CENTER, [1, K]), centerMomentum), mul(teacher_mean!, 1 - centerMomentum)),
      }),
    },
    isModel: (name) => !name.startsWith(`${TEACHER}.`),
    twin: (name) => (name.startsWith(`${TEACHER}.`) ? name.slice(TEACHER.length + 1) : undefined),
  };
}

function judge(p: Params, config: DinoConfig, stage: ImageDinoStage, batch: number): Judged {
  const { channels, imageSize } = config.image;
  const { count, size } = stage.localCrops;
  const globals = rows(input("global_crops", [GLOBAL_CROPS, batch, channels, imageSize, imageSize]));
  const locals = count > 0 ? [rows(input("local_crops", [count, batch, channels, size, size]))] : [];
  const student = dinoScores(p, config, [globals, ...locals]);
  const teacher = dinoScores(p.at(TEACHER), config, [globals]);
  const { loss, teacherEntropy, chance } = dinoLoss({
    student,
    teacher,
    center: input(CENTER, [1, stage.head.outputSize]),
    crops: GLOBAL_CROPS + count,
    teacherTemperature: scalarInput("teacher_temperature"),
    studentTemperature: stage.studentTemperature,
  });
  const center = input(CENTER, [1, stage.head.outputSize]);
  return {
    losses: { dino: loss },
    metrics: { teacher_entropy: teacherEntropy, center_norm: mean(mul(center, center)) },
    chance: { dino: chance },
    statistics: { teacher_mean: mean(teacher, [0], { keep: true }) },
  };
}

/** (V, B, …) → (V·B, …): crop by crop. */
const rows = (x: Value): Value => reshape(x, [x.shape[0]! * x.shape[1]!, ...x.shape.slice(2)]);

/** DINO's distortions with the recipe's probabilities. */
function viewsOf(globalSize: number, stage: ImageDinoStage): DinoOptions {
  const { globalCrops, localCrops, views } = stage;
  const standard = dinoOptions({
    globalSize,
    localSize: localCrops.size,
    localCrops: localCrops.count,
    globalScale: globalCrops.scale,
    localScale: localCrops.scale,
  });
  return {
    ...standard,
    views: standard.views.map((view, i) => ({
      ...view,
      flip: views.flip,
      jitterProbability: views.colorJitter,
      grey: views.grayscale,
      blur: views.blur[Math.min(i, 2)]!,
      solarize: i === 1 ? views.solarize : 0,
    })),
  };
}
