// Slow: four runs of all stages, half a minute of two cores in all.
import { expect, it } from "vitest";
import { lossesOf } from "../../../test/support/below-chance.ts";
import { temporaryFolder } from "../../../test/support/data-fixtures.ts";
import { ownData } from "../../../test/support/own-data.ts";
import { resolveRecipe } from "../recipe/index.ts";
import { pretrain } from "../run/run.ts";
import { newRecipe } from "./index.ts";

it("makes of each kind of folder a recipe that trains all of its stages to losses below chance", async () => {
  const data = await ownData(80);
  const out = await temporaryFolder();
  for (const which of ["jsonl", "tars", "folder", "pictures"] as const) {
    const path = `${out}/${which}.yaml`;
    const options = { note: () => undefined, speed: 1e10 };
    await newRecipe({ source: data[which], size: "tiny", minutes: 0.25, seed: 0, out: path }, options);
    const runDir = `${out}/${which}-run`;
    const { recipe } = await resolveRecipe(path, { set: [`runDir=${runDir}`] });
    const losses = await lossesOf(runDir, await pretrain({ recipe, command: "a test" }));
    const names = losses.map(({ name }) => name);
    if (which === "pictures") expect(names).toEqual(["image/mim"]);
    else
      expect(names).toEqual(
        expect.arrayContaining(["text/mlm", "image/mim", "joint/global_contrastive", "joint/mim", "joint/mlm"]),
      );
    // In so few steps matching learns how often pairs match, and no more: small batches scatter around its chance level.
    for (const { name, loss, mean, chance } of losses)
      if (name.endsWith("itm")) expect(Math.abs(mean - chance), `${which} ${name}`).toBeLessThan(0.1);
      else expect(loss, `${which} ${name}`).toBeLessThan(chance);
  }
}, 600_000);
