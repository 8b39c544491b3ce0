/** What a device is: where a graph can run. Each makes sessions from graphs and holds buffers; all behave alike. */
import type { DynamicGraph, Graph } from "../graph/index.ts";
import type { ModelDType } from "../lower/onnx/index.ts";
import type { DType, Shape, Tensor } from "../tensor/index.ts";
import type { DeviceName } from "./device-names.ts";
import type { Buffer, Session, SessionOptions } from "./session.ts";

/** Options that every device takes; each engine adds its own. */
export interface DeviceOptions {
  /** Threads of one operator; all processors unless said. A device with one thread has one. */
  threads?: number;
}

/** A graph and what is known of its inputs. */
export interface Task {
  readonly graph: Graph;
  /** Inputs that become part of the session: packed once by the engine, and no longer fed. */
  readonly weights?: Readonly<Record<string, Tensor>>;
  /** What weights and products are kept in; "fp32" unless said. */
  readonly dtype?: ModelDType | undefined;
  /** Products may read bfloat16; said to devices that round on their own (`Device.rounds`). */
  readonly bfloat16?: boolean;
  /** State: input → the output that is its next value. */
  readonly updates?: Readonly<Record<string, string>>;
}

/** A graph with open axes. */
export interface DynamicTask extends Pick<Task, "weights" | "dtype" | "bfloat16"> {
  readonly graph: DynamicGraph;
}

/** A graph made ready to run. */
export interface Prepared {
  readonly session: Session;
  /** The inputs of `updates` whose own buffer a run may be given for the next value; the others need a second buffer. */
  readonly inPlace: ReadonlySet<string>;
}

/** An engine on some hardware: takes graphs, gives sessions. */
export interface Device {
  readonly name: DeviceName;
  /** Engine and version, for logs. */
  readonly description: string;
  /** What its user is to be told when it is chosen. */
  readonly remark?: string;
  /** What else than "fp32" a task may ask for. */
  readonly dtypes?: readonly ModelDType[];
  /** Whether the engine decides itself what it rounds to bfloat16, so that no pass puts casts into the graph. */
  readonly rounds?: boolean;
  /** Lowers the graph and opens a session. Throws EngineError when the engine refuses the graph. */
  prepare(task: Task, options?: SessionOptions): Promise<Prepared>;
  /** The same for a graph with open axes. An engine without it gets a session for each length (`sized-sessions.ts`). */
  prepareDynamic?(task: DynamicTask, options?: SessionOptions): Promise<Session>;
  /** Bytes of its own memory: the most that was taken, and that it may take. Where it has some and counts it. */
  memory?(): { readonly peak: number | undefined; readonly limit: number | undefined } | undefined;
  /** A buffer with undefined content. */
  allocate(dtype: DType, shape: Shape): Buffer;
  /** A buffer with a copy of `t`. */
  upload(t: Tensor): Buffer;
}
