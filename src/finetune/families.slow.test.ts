/** The compared systems are tuned by the command that tunes FLAVA. Slow: trains and measures eight heads. */
import { describe, expect, it } from "vitest";
import { savedFamily } from "../../test/support/saved-family.ts";
import { asked, needs, pictures, request, texts } from "../../test/support/tuning.ts";
import { FlavaModel } from "../api/index.ts";
import type { Sample } from "../data/index.ts";
import type { FamilyName } from "../models/index.ts";
import { finetune } from "./run.ts";

const pairs = (): Sample[] => pictures([1, 2, 3, 4, 5]).map((one) => ({ ...one, texts: ["a picture"] }));
const SAMPLES = { text: texts, image: () => pictures([1, 2, 3, 4, 5]), pair: pairs } as const;

describe.each([
  ["clip", "image"],
  ["clip", "text"],
  ["align", "text"],
  ["albef", "text"],
  ["albef", "pair"],
  ["vilt", "pair"],
  ["simvlm", "text"],
  ["simvlm", "pair"],
] as const satisfies readonly (readonly [FamilyName, keyof typeof SAMPLES])[])("a %s on %ss", (family, inputs) => {
  it("learns, and what it saves says the same", async () => {
    const { folder, tokenizer } = await savedFamily(
      family,
      texts().flatMap((one) => one.texts!),
    );
    await using model = await FlavaModel.fromPretrained(folder, { threads: 1 });
    const data = asked(SAMPLES[inputs](), { needs: needs(inputs), tokenizer });
    const given = { steps: 80, lr: 1e-2, imageSize: model.model.pictures!.size, textLength: 12 };
    const result = await finetune(await request(model, data, given));
    expect(result.figures.accuracy).toBeGreaterThan(0.7);
    await using tuned = await FlavaModel.fromPretrained(result.out, { threads: 1 });
    const { keys, logits } = result.outputs.validation!;
    const own = SAMPLES[inputs]();
    const again = await tuned.taskLogits(
      keys.map((key) => {
        const { image, texts: words } = own.find((one) => one.key === key)!;
        return {
          ...(image && inputs !== "text" && { image: { key, image } }),
          ...(words && inputs !== "image" && { text: words[0]! }),
        };
      }),
    );
    for (const [i, value] of again.data.entries()) expect(Number(value)).toBeCloseTo(logits[i]!, 3);
  });
});
