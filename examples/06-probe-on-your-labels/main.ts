/**
 * A classifier for your own labels on top of a model that stays as it is: logistic regression on its features. One folder a label, a few
 * pictures in each; every fifth picture is held out to see how well it does.
 */
import { FlavaModel } from "flava/api";
import { listInputs } from "flava/collections";
import { fitLogistic, logits } from "flava/tasks";

const [folder = "labelled"] = process.argv.slice(2);

const { inputs } = await listInputs([folder]);
const labelOf = (path: string): string => path.split("/").at(-2)!;
const labels = [...new Set(inputs.map(({ image }) => labelOf(image!)))].sort();

await using model = await FlavaModel.fromPretrained(process.env.MODEL ?? "runs/starter");
const rows: { x: Float32Array; label: number }[] = [];
for await (const { input, embeds, error } of model.embedImages(
  inputs.map(({ image }) => image!),
  { onError: "yield" },
)) {
  if (error) console.log(error.message);
  else rows.push({ x: embeds, label: labels.indexOf(labelOf(input)) });
}
const held = rows.filter((_, i) => i % 5 === 4);
const train = rows.filter((_, i) => i % 5 !== 4);

const flat = (some: typeof rows): number[] => some.flatMap(({ x }) => [...x]);
const data = {
  x: flat(train),
  width: train[0]!.x.length,
  labels: train.map(({ label }) => label),
  classes: labels.length,
};
const probe = await fitLogistic(model.device, data, { C: 10 });
const scores = logits(probe, flat(held));
const right = held.filter(({ label }, i) => {
  const row = [...scores.slice(i * labels.length, (i + 1) * labels.length)];
  return row.indexOf(Math.max(...row)) === label;
});
console.log(`${labels.length} labels: ${labels.join(", ")}`);
console.log(`${train.length} pictures trained on, ${right.length} of ${held.length} others right`);
