/**
 * An objective of your own, on any features: here SigLIP's pairwise sigmoid loss (arXiv:2303.15343) in place of FLAVA's softmax over the
 * batch. A loss is a function from values to a value; its gradient, the step and the engine come with the graph core.
 */
import { FlavaModel } from "flava/api";
import { openSource } from "flava/data";
import { add, exp, grad, input, log, matmul, mean, mul, neg, sub, type Value } from "flava/graph";
import { compile, State } from "flava/runtime";
import { fromNumbers } from "flava/tensor";

const [source = "drawings", steps = "30"] = process.argv.slice(2);
const N = 32;

/** −mean log sigmoid(z·(s·cosine − b)), z = 1 on the diagonal and −1 elsewhere. `log(1 + e^−x)` is −log sigmoid(x). */
function siglip(images: Value, texts: Value, z: Value): Value {
  const logits = sub(mul(matmul(images, texts, { transposeB: true }), 10), 5);
  return mean(log(add(exp(neg(mul(z, logits))), 1)));
}

// Embeddings of pairs, by a model that stays as it is.
await using model = await FlavaModel.fromPretrained(process.env.MODEL ?? "runs/starter");
const pairs: { image: Uint8Array; text: string }[] = [];
for await (const { sample } of (await openSource(source)).samples())
  if (sample.image && sample.texts && pairs.push({ image: sample.image, text: sample.texts[0]! }) === N) break;
const B = pairs.length;
const { image_embeds: x } = await model.encodeImage(
  pairs.map(({ image }) => image),
  { outputs: ["image_embeds"] },
);
const { text_embeds: y } = await model.encodeText(
  pairs.map(({ text }) => text),
  { outputs: ["text_embeds"] },
);
const E = x.dims[1]!;

// A matrix between the two spaces is trained: loss, gradient and step are one graph, the matrix stays in the engine.
const w = input("w", [E, E]);
const loss = siglip(matmul(input("x", [B, E]), w), input("y", [B, E]), input("z", [B, B]));
const [dw] = grad(loss, [w]);
const state = new State(model.device);
state.write(
  "w",
  fromNumbers(
    Array.from({ length: E * E }, (_, i) => (i % (E + 1) === 0 ? 1 : 0)),
    [E, E],
  ),
);
const program = { name: "siglip", outputs: { loss }, updates: { w: sub(w, mul(dw!, 0.3)) } };
using step = await compile(program, model.device, { state });
const z = fromNumbers(
  Array.from({ length: B * B }, (_, i) => (i % (B + 1) === 0 ? 1 : -1)),
  [B, B],
);
const losses: number[] = [];
for (let i = 0; i < Number(steps); i++) losses.push(Number((await step.run({ x, y, z })).loss!.data[0]));
state.dispose();
console.log(`${B} pairs, loss ${losses[0]!.toFixed(3)} → ${losses.at(-1)!.toFixed(3)} in ${steps} steps`);
