import { describe, expect, it } from "vitest";
import { DEMO_INFO } from "../../test/support/demo-run.ts";
import { modelCard } from "./card.ts";
import { repeatOf } from "./repeat.ts";

const start = "flava pretrain own.yaml";
const resumed = (steps: number, changes: readonly string[]) => ({
  at: "2026-01-01T00:00:00.000Z",
  command: `${start} --set stages.joint.steps=${steps} --resume latest`,
  stage: "joint",
  step: 44,
  changes,
});

describe("how a run is made again", () => {
  it("is its command alone, also where it was stopped and went on unchanged", () => {
    expect(repeatOf({ command: start })).toEqual({ commands: start, changes: [] });
    expect(repeatOf({ command: start, history: [resumed(30, [])] })).toEqual({ commands: start, changes: [] });
  });

  it("names the commands with which it went on with other values, and which values", () => {
    const history = [
      resumed(60, ['mayChange: was [], now ["stages.joint.steps"]', "stages.joint.steps: was 30, now 60"]),
    ];
    expect(repeatOf({ command: start, history })).toEqual({
      commands: `${start}\n${history[0]!.command}`,
      changes: ["after step 44 of joint: stages.joint.steps: was 30, now 60"],
    });
    const card = modelCard({ ...DEMO_INFO, command: start, history }, {});
    expect(card).toContain(history[0]!.command);
    expect(card).toMatch(/went on with other values:\n\n- after step 44 of joint/);
  });
});
