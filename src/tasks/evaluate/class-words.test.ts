/** Words for prompts where the data have numbers or codes. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../../../test/support/data-fixtures.ts";
import { paperTasks, pickTasks } from "../registry.ts";
import { classWords } from "./class-words.ts";

const words = async (name: string, names: readonly string[], root = "nowhere") => {
  const [task] = pickTasks(await paperTasks(), [name]);
  return classWords({ task: task!, root, layout: "class-folders", classes: undefined }, names);
};

describe("words of classes", () => {
  it("take numbers from 0 or from 1 for those of the task's file", async () => {
    expect(await words("gtsrb", ["0", "14", "00042"])).toEqual([
      "speed limit 20 km/h",
      "stop",
      "end of no passing for lorries",
    ]);
    expect(await words("flowers102", ["0", "73", "101"])).toEqual(["pink primrose", "rose", "blackberry lily"]);
    expect(await words("flowers102", ["1", "74", "102"])).toEqual(["pink primrose", "rose", "blackberry lily"]);
    expect(await words("flowers102", ["0", "102"])).toBeUndefined();
    expect(await words("dtd", ["0", "1"])).toBeUndefined();
  });

  it("take country codes and names in one word apart", async () => {
    expect(await words("country211", ["DE", "XK", "ZA"])).toEqual(["Germany", "Kosovo", "South Africa"]);
    expect(await words("country211", ["DE", "QQ"])).toBeUndefined();
    expect(await words("eurosat", ["AnnualCrop", "River"])).toEqual(["annual crop", "River"]);
    expect(await words("aircraft", ["707-320", "A-B_c"])).toEqual(["707-320", "A B c"]);
  });

  it("take ImageNet's ids from the mapping beside the pictures, its first word", async () => {
    const root = await temporaryFolder();
    expect(await words("imagenet", ["n01440764"], root)).toBeUndefined();
    await writeFile(join(root, "LOC_synset_mapping.txt"), "n01440764 tench, Tinca tinca\nn02119789 kit fox\n");
    expect(await words("imagenet", ["n02119789", "n01440764"], root)).toEqual(["kit fox", "tench"]);
    expect(await words("imagenet", ["n09999999"], root)).toBeUndefined();
  });
});
