/** PyTorch as lanes: a Python process that gets works and runs as lines of JSON (test/reference/torch_peers.py). */
import { isEngineError, say } from "../measure.ts";
import { type Ask, openPython } from "./python.ts";
import type { Lane, Times, Work } from "./work.ts";

const DRIVER = "test/reference/torch_peers.py";
const PRECISIONS = ["fp32", "bf16"] as const;

export interface Torch extends AsyncDisposable {
  /** None where there is no Python with PyTorch. */
  readonly lanes: readonly Lane[];
}

/** Starts the process. Where Python has no PyTorch, one line says so and there are no lanes. */
export async function openTorch(python: string, threads: number | undefined): Promise<Torch> {
  const { ask, end } = openPython(python, [DRIVER, ...(threads ? ["--threads", String(threads)] : [])]);
  try {
    const hello = await ask();
    say(`PyTorch ${hello.torch}, ${hello.threads} threads; transformers ${hello.transformers ?? "not installed"}`);
  } catch (error) {
    if (!isEngineError(error)) throw error;
    say(`no PyTorch to compare with: ${error.message}; -- --python PATH names a Python that has it`);
    return { lanes: [], [Symbol.asyncDispose]: async () => undefined };
  }
  return {
    lanes: [false, true].flatMap((compiled) => PRECISIONS.map((dtype) => lane(ask, dtype, compiled))),
    [Symbol.asyncDispose]: end,
  };
}

function lane(ask: Ask, dtype: string, compiled: boolean): Lane {
  const name = `torch ${dtype}${compiled ? " compiled" : ""}`;
  return {
    name,
    async prepare(work: Work) {
      if (compiled && work.kind !== "forward" && work.kind !== "training") return undefined; // FLAVA takes minutes to compile
      await ask({ prepare: name, dtype, compiled, work });
      return {
        run: async () => (await ask({ run: name })) as unknown as Times,
        dispose: async () => void (await ask({ drop: name })),
      };
    },
  };
}
