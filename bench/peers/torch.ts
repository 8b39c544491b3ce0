/** PyTorch as lanes: a Python process that gets works and runs as lines of JSON (test/reference/torch_peers.py). */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { EngineError } from "../../src/errors.ts";
import { isEngineError, say } from "../measure.ts";
import type { Lane, Times, Work } from "./work.ts";

const DRIVER = "test/reference/torch_peers.py";
const PRECISIONS = ["fp32", "bf16"] as const;

export interface Torch extends AsyncDisposable {
  /** None where there is no Python with PyTorch. */
  readonly lanes: readonly Lane[];
}

type Answer = Readonly<Record<string, unknown>>;

/** Starts the process. Where Python has no PyTorch, one line says so and there are no lanes. */
export async function openTorch(python: string, threads: number | undefined): Promise<Torch> {
  const child = spawn(python, [DRIVER, ...(threads ? ["--threads", String(threads)] : [])]);
  const ask = conversation(child, python);
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
    async [Symbol.asyncDispose]() {
      child.stdin.end();
      if (child.exitCode === null) await new Promise((ended) => child.once("exit", ended));
    },
  };
}

type Ask = (question?: object) => Promise<Answer>;

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

/** Sends a line, if any, and waits for the answer. Throws EngineError for an error that the process reports, and when it ends. */
function conversation(child: ChildProcessWithoutNullStreams, python: string): Ask {
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  let complaint = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    complaint = (complaint + text).slice(-2000);
  });
  let missing: Error | undefined;
  child.once("error", (error) => {
    missing = error;
  });
  child.stdin.on("error", () => undefined); // the process has ended: its output says so
  return async (question) => {
    if (question) child.stdin.write(`${JSON.stringify(question)}\n`);
    const { value, done } = await lines.next();
    if (done) throw new EngineError(`${python}: ${missing?.message ?? complaint.trim().split("\n").at(-1) ?? "ended"}`);
    const answer = JSON.parse(value) as Answer;
    if (answer.error !== undefined) throw new EngineError(String(answer.error));
    return answer;
  };
}
