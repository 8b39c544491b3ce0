/** Exports the two encoders of a model as 8-bit ONNX files, and runs them in onnxruntime-node, which knows nothing of FLAVA. */
import { FlavaProcessor } from "flava/api";
import { exportOnnx } from "flava/export";
import { InferenceSession, Tensor } from "onnxruntime-node";

const [picture = "drawings/red-apple.png", ...given] = process.argv.slice(2);
const captions = given.length > 0 ? given : ["a red apple", "a blue car"];
const model = process.env.MODEL ?? "runs/starter";

const { folder, files } = await exportOnnx(model, "exported", { only: ["image", "text"], dtypes: ["q8"] });
for (const { file, sizeBytes, parity } of files) {
  const { output, cosine } = parity.find((row) => row.output.endsWith("_embeds"))!;
  console.log(
    `${file}: ${(sizeBytes / 1e6).toFixed(2)} MB, ${output} at a cosine of ${cosine.toFixed(4)} to the model's`,
  );
}

const processor = await FlavaProcessor.fromPretrained(model);
const { pixel_values, input_ids, attention_mask } = await processor({ images: picture, text: captions });

const long = ({ data, shape }: { data: Int32Array; shape: readonly number[] }) =>
  new Tensor("int64", BigInt64Array.from(data, BigInt), shape);

const vision = await InferenceSession.create(`${folder}/onnx/vision_model_quantized.onnx`);
const image = await vision.run({ pixel_values: new Tensor("float32", pixel_values!.data, pixel_values!.shape) });
const language = await InferenceSession.create(`${folder}/onnx/text_model_quantized.onnx`);
const text = await language.run({ input_ids: long(input_ids!), attention_mask: long(attention_mask!) });

const [a, b] = [image.image_embeds!.data as Float32Array, text.text_embeds!.data as Float32Array];
for (const [i, caption] of captions.entries()) {
  const cosine = a.reduce((sum, x, e) => sum + x * b[i * a.length + e]!, 0);
  console.log(`${cosine.toFixed(4)} ${caption}`);
}
