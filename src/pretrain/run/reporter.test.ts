import { describe, expect, it } from "vitest";
import { lossBoard } from "./reporter.ts";

describe("lossBoard", () => {
  it("keeps the newest of each loss beside its chance level, though a step has only some", () => {
    const board = lossBoard({ mim: Math.log(512), mlm: Math.log(4000) });
    board.update({ loss: 6, mim: 6.2 });
    expect(board.update({ loss: 8, mlm: 8, samples_per_second: 812.4, "time/data": 0.013 })).toBe(
      "mim 6.20 (chance 6.24), mlm 8.00 (chance 8.29), 812 samples/s, data wait 1 %",
    );
  });
  it("shows the plain loss where nothing has a chance level", () => {
    expect(lossBoard({}).update({ loss: 0.123456 })).toBe("loss 0.1235");
  });
});
