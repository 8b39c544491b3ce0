import { Command } from "commander";
import { afterEach, describe, expect, it, vi } from "vitest";
import { definePretrain, type PretrainRequest, pretrainRequest } from "./pretrain.ts";

const STARTER = "recipes/starter.yaml";

describe("pretrainRequest", () => {
  it("turns options into values of the recipe, and keeps the command that does the same", async () => {
    const request = await pretrainRequest(STARTER, {
      set: ["stages.joint.steps=7", "data.pairs=[synthetic:8]"],
      runDir: "runs/my run",
      seed: "3",
      tiny: true,
      stage: "joint",
      resume: "latest",
    });
    expect(request).toMatchObject({ stage: "joint", resume: "latest", recipe: { seed: 3, runDir: "runs/my run" } });
    expect(request.recipe.stages.joint!.steps).toBe(7);
    expect(request.command).toBe(
      "flava pretrain recipes/starter.yaml --set stages.joint.steps=7 --set 'data.pairs=[synthetic:8]' --set 'runDir=runs/my run' --set seed=3 --stage joint --tiny",
    );
  });

  it("names the nearest stage, key and device", async () => {
    await expect(pretrainRequest(STARTER, { stage: "jont" })).rejects.toThrow(
      /got "jont"\n {2}help: did you mean "joint"\?/,
    );
    await expect(pretrainRequest(STARTER, { set: ["stages.joint.stepps=1"] })).rejects.toThrow(/did you mean "steps"/);
    await expect(pretrainRequest(STARTER, { device: "cpuu" })).rejects.toThrow(/did you mean "cpu"/);
    await expect(pretrainRequest(STARTER, { seed: "one" })).rejects.toThrow(/expected a number, got "one"/);
  });
});

describe("flava pretrain", () => {
  afterEach(() => vi.restoreAllMocks());

  const flava = async (...args: string[]) => {
    const [out, errors, requests]: [string[], string[], PretrainRequest[]] = [[], [], []];
    vi.spyOn(process.stdout, "write").mockImplementation((text) => out.push(String(text)) > 0);
    vi.spyOn(process.stderr, "write").mockImplementation((text) => errors.push(String(text)) > 0);
    const program = new Command("flava").option("--json").option("--quiet").exitOverride();
    const measure = () => ({ parameters: { "flava.text_model": 1_500_000 }, memory: { parameters: 6e6 } });
    definePretrain(async () => ({ run: async (request) => void requests.push(request), measure }))(program);
    await program.parseAsync(["node", "flava", "pretrain", ...args]);
    return { out: out.join(""), errors: errors.join(""), requests };
  };

  it("prints each change and runs", async () => {
    const { errors, requests } = await flava(STARTER, "--set", "stages.joint.steps=7", "--threads", "1");
    expect(errors).toMatch(/^set stages\.joint\.steps: \d+ → 7\nset threads: \(default\) → 1\n$/);
    expect(requests).toHaveLength(1);
  });

  it("prints the plan of --dry-run with what was measured and what is missing, and does not run", async () => {
    const { out, errors, requests } = await flava("recipes/flava-base.yaml", "--dry-run");
    expect(out).toContain("stage joint");
    expect(out).toContain("parameters 1.50M: flava.text_model 1.50M");
    expect(errors).toMatch(
      /of the recipe's files or folders not found from .*, the first: data\.pairs\.0: data\/pmd\/coco/,
    );
    expect(requests).toEqual([]);
  });
});
