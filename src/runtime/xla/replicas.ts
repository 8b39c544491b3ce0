/** One program on several devices of one process, its collectives inside: data-parallel work without other processes. */
import type { Graph } from "../../graph/index.ts";
import { toStableHlo } from "../../lower/stablehlo/index.ts";
import { allocate, size, type Tensor } from "../../tensor/index.ts";
import { checkRun } from "../check.ts";
import type { XlaDevice } from "./device.ts";

type Tensors = Readonly<Record<string, Tensor>>;

/** One program on several devices at once, with collectives between them. */
export interface Replicas extends Disposable {
  /** How many workers the graph's collectives are between. */
  readonly workers: number;
  /** Runs once, with the feeds of each worker; resolves to the results of each. Throws EngineError. */
  run(feeds: readonly Tensors[]): Promise<Record<string, Tensor>[]>;
  dispose(): void;
}

/** Compiles a graph for as many devices as its collectives name. Throws EngineError when the client has fewer. */
export async function createReplicas({ client, compile }: XlaDevice, graph: Graph): Promise<Replicas> {
  const where = graph.name;
  const { text, inputs, outputs, workers } = toStableHlo(graph, { roundProducts: client.platform !== "cpu" });
  const program = await compile({ where, text, replicas: workers });
  const want = Object.fromEntries(outputs.map(({ name }) => [name, "host" as const]));

  async function run(feeds: readonly Tensors[]): Promise<Record<string, Tensor>[]> {
    for (const one of feeds) checkRun(where, inputs, outputs, one, want);
    const lists = feeds.map((one, rank) => inputs.map(({ name }) => client.upload(where, one[name]!, rank)));
    try {
      const results = await client.execute(where, program, lists);
      return await Promise.all(results.map((pointers) => download(pointers)));
    } finally {
      for (const pointer of lists.flat()) client.free(pointer);
    }
  }

  async function download(pointers: readonly bigint[]): Promise<Record<string, Tensor>> {
    const found: Record<string, Tensor> = {};
    try {
      for (const [i, { name, dtype, shape }] of outputs.entries()) {
        found[name] = { dtype, shape: [...shape], data: allocate(dtype, size(shape)) };
        await client.download(where, pointers[i]!, found[name]);
      }
      return found;
    } finally {
      for (const pointer of pointers) client.free(pointer);
    }
  }

  const dispose = (): void => client.release(program);
  return { workers, run, dispose, [Symbol.dispose]: dispose };
}
