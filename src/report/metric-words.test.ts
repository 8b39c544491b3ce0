import { describe, expect, it } from "vitest";
import { candidates, count, duration, explain } from "./metric-words.ts";

describe("duration", () => {
  it("rounds once, so that no part is 60", () => {
    expect([0.123, 9.94, 9.96, 59.4, 59.9, 119.7, 119.4, 3599.6, 3725, 7199].map(duration)).toEqual([
      "0.12 s",
      "9.9 s",
      "10 s",
      "59 s",
      "1 min 0 s",
      "2 min 0 s",
      "1 min 59 s",
      "1 h 0 min",
      "1 h 2 min",
      "2 h 0 min",
    ]);
    for (let seconds = 0; seconds < 9000; seconds += 0.37) expect(duration(seconds)).not.toMatch(/\b60 (s|min)/);
  });
});

describe("explain", () => {
  it("knows every metric that a run of this package writes", () => {
    const known = [
      ..."i2t_r1 i2t_r5 i2t_r10 t2i_r1 t2i_r10 itm_accuracy mmm_text_accuracy mmm_image_accuracy"
        .split(" ")
        .flatMap((metric) => [`eval/validation/${metric}`, `unseen_style_${metric}`]),
      ..."mlm/loss mlm/accuracy mlm/unigram_loss mlm/unigram_accuracy mim/loss mim/accuracy mim/majority_accuracy"
        .split(" ")
        .map((metric) => `eval/${metric}`),
      ..."knn/accuracy knn/random_init_accuracy knn/majority_accuracy codebook/usage codebook/perplexity codebook/mse"
        .split(" ")
        .map((metric) => `eval/${metric}`),
      ..."loss lr grad_norm samples samples_per_second time/data time/engine dvae reconstruction kl dino".split(" "),
      ..."teacher_entropy center_norm".split(" "),
      ..."mim mlm itm global_contrastive mmm_image mmm_text"
        .split(" ")
        .flatMap((loss) => [loss, `${loss}/accuracy`, `${loss}/count`]),
      "global_contrastive/text_accuracy",
      "unseen_style_i2t_r1_over_chance",
    ];
    expect(known.filter((name) => explain(name) === "")).toEqual([]);
    expect(explain("unseen_style_i2t_r10")).toBe("pictures whose right caption is among the first 10");
    expect(explain("somebody_elses")).toBe("");
  });
});

describe("candidates", () => {
  it("come from what guessing reaches", () => {
    expect(candidates("style_t2i_r5", 5 / 64)).toBe("1 right of about 64 pictures");
    expect(candidates("style_i2t_r1", 1 / 825)).toBe("1 right of about 825 captions");
    expect([candidates("style_i2t_r1", undefined), candidates("mlm_loss", 0.5), candidates("a_i2t_r1", 0)]).toEqual([
      "",
      "",
      "",
    ]);
  });
});

describe("count", () => {
  it("has one of one", () => {
    expect([count(1, "thread"), count(2, "thread"), count(0, "step"), count(12_345, "sample")]).toEqual([
      "1 thread",
      "2 threads",
      "0 steps",
      "12,345 samples",
    ]);
  });
});
