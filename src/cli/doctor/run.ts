/** `flava doctor`: looks at everything, one after another, and says what is wrong. */
import { EXIT, type Io } from "../command.ts";
import { engineFindings, pictureFinding, tokenizerFinding } from "./engines.ts";
import { checked, type Finding, findingsText } from "./finding.ts";
import { machineFindings } from "./machine.ts";
import { mpiFindings } from "./mpi.ts";
import { cacheFindings, hubFindings, starterFinding } from "./places.ts";
import { decodeSpeed, deviceSpeed } from "./speed.ts";

export async function doctor(
  io: Io,
  { quick = false, mpi }: { readonly quick?: boolean; readonly mpi?: string | true },
): Promise<void> {
  if (mpi !== undefined) {
    const found = await mpiFindings(typeof mpi === "string" ? mpi : undefined);
    if (found.length > 0) say(io, found); // only the first worker has some
    return;
  }
  const { env } = process;
  const engines = await engineFindings();
  const pictures = await checked("pictures", pictureFinding);
  const findings: Finding[] = [
    ...(await checked("machine", machineFindings)),
    ...engines.findings,
    ...pictures,
    ...(await checked("tokenizer", tokenizerFinding)),
    ...(await checked("cache", () => cacheFindings(env))),
    ...(await checked("starter data", () => starterFinding(env))),
    ...(await checked("Hub", () => hubFindings(env))),
  ];
  io.signal.throwIfAborted();
  if (!quick) {
    io.note("measuring; --quick skips it");
    for (const name of engines.devices) findings.push(await deviceSpeed(name, io.signal));
    if (pictures[0]?.status === "ok") findings.push(...(await checked("speed pictures", () => decodeSpeed(io.signal))));
  }
  say(io, findings);
}

function say(io: Io, findings: readonly Finding[]): void {
  const ok = !findings.some(({ status }) => status === "broken");
  io.result(findingsText(findings), { ok, findings });
  if (!ok) process.exitCode = EXIT.failed;
}
