/** A Python process that answers each line of JSON with one: drivers of other packages in test/reference/. */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { EngineError } from "../../src/errors.ts";

export type Answer = Readonly<Record<string, unknown>>;

/** Sends a line, if any, and waits for the answer. Throws EngineError for an error that the process reports, and when it ends. */
export type Ask = (question?: object) => Promise<Answer>;

/** Starts the process. `end` closes its input and waits for it. */
export function openPython(
  python: string,
  args: readonly string[],
  env?: Readonly<Record<string, string>>,
): { ask: Ask; end(): Promise<void> } {
  const child = spawn(python, args, { env: { ...process.env, ...env } });
  return {
    ask: conversation(child, python),
    async end() {
      child.stdin.end();
      if (child.exitCode === null) await new Promise((ended) => child.once("exit", ended));
    },
  };
}

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
