import { deflateRawSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  checkpointBytes,
  type Piece,
  pickle,
  py,
  stateDict,
  storage,
  type TorchTensor,
  torchParts,
  torchTensor,
  type ZipPart,
  zipBytes,
} from "../../../test/support/torch-bytes.ts";
import { CheckpointError, FlavaError } from "../../errors.ts";
import { memoryBytes } from "../../io/index.ts";
import { type Tensor, toNumbers } from "../../tensor/index.ts";
import { openTensors } from "../open-tensors.ts";
import type { TensorFile } from "../tensor-file.ts";

const bytesOf = (array: ArrayBufferView): Uint8Array =>
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
const floats = (...numbers: number[]): Uint8Array => bytesOf(Float32Array.from(numbers));
const six = floats(1, 2, 3, 4, 5, 6);
const one = (more: Partial<TorchTensor> = {}): TorchTensor => ({
  type: "Float",
  key: "0",
  length: 6,
  shape: [2, 3],
  ...more,
});

const open = (bytes: Uint8Array, entry?: string): Promise<TensorFile> =>
  openTensors(memoryBytes("file.bin", bytes), entry === undefined ? {} : { entry });
const openPickle = async (value: Piece, entry?: string): Promise<TensorFile> =>
  open(await checkpointBytes(value, { 0: six }), entry);
const all = async (file: TensorFile): Promise<Record<string, unknown>> =>
  Object.fromEntries(
    await Promise.all([...file.tensors.keys()].map(async (name) => [name, plain(await file.read(name))] as const)),
  );
const plain = (t: Tensor) => [t.dtype, t.shape, toNumbers(t)];

describe("a checkpoint of torch", () => {
  it("gives its tensors by name, whatever the protocol of the pickle", async () => {
    for (const protocol of [2, 3, 4, 5]) {
      const file = await open(await checkpointBytes(stateDict({ w: one() }), { 0: six }, protocol));
      expect([file.format, file.tensors.get("w")]).toEqual([
        "torch",
        { name: "w", dtype: "float32", storedAs: "F32", shape: [2, 3] },
      ]);
      expect(await all(file)).toEqual({ w: ["float32", [2, 3], [1, 2, 3, 4, 5, 6]] });
    }
  });

  it("reads every element type", async () => {
    const types: [string, ArrayBufferView, string, number[]][] = [
      ["Double", Float64Array.of(0.1, -2), "float64", [0.1, -2]],
      ["Half", Uint16Array.of(0x3c01, 0xc000), "float32", [1 + 2 ** -10, -2]],
      ["BFloat16", Uint16Array.of(0x3f81, 0xc000), "float32", [1 + 2 ** -7, -2]],
      ["Long", BigInt64Array.of(-3n, 511n), "int64", [-3, 511]],
      ["Int", Int32Array.of(-70_000, 2), "int32", [-70_000, 2]],
      ["Short", Int16Array.of(-300, 2), "int32", [-300, 2]],
      ["Char", Int8Array.of(-3, 4), "int32", [-3, 4]],
      ["Byte", Uint8Array.of(200, 4), "uint8", [200, 4]],
      ["Bool", Uint8Array.of(1, 0), "bool", [1, 0]],
    ];
    for (const [type, data, dtype, numbers] of types) {
      const value = stateDict({ t: { type, key: "7", length: 2, shape: [2] } });
      expect(await all(await open(await checkpointBytes(value, { 7: bytesOf(data) }))), type).toEqual({
        t: [dtype, [2], numbers],
      });
    }
  });

  it("gives views of a storage row by row: transposed, strided, offset, expanded, scalar, empty, tied", async () => {
    const file = await openPickle(
      stateDict({
        whole: one(),
        tied: one(),
        turned: one({ shape: [3, 2], strides: [1, 3] }),
        columns: one({ shape: [2, 2], strides: [3, 2] }),
        row: one({ shape: [3], offset: 3 }),
        expanded: one({ shape: [2, 3], strides: [0, 1] }),
        scalar: one({ shape: [], offset: 5 }),
        empty: one({ shape: [0, 4] }),
        deep: one({ shape: [3, 1, 2], strides: [1, 9, 3] }),
      }),
    );
    const found = await all(file);
    expect(Object.fromEntries(Object.entries(found).map(([name, t]) => [name, (t as unknown[])[2]]))).toEqual({
      whole: [1, 2, 3, 4, 5, 6],
      tied: [1, 2, 3, 4, 5, 6],
      turned: [1, 4, 2, 5, 3, 6],
      columns: [1, 3, 4, 6],
      row: [4, 5, 6],
      expanded: [1, 2, 3, 1, 2, 3],
      scalar: [6],
      empty: [],
      deep: [1, 4, 2, 5, 3, 6],
    });
    expect(file.tensors.get("scalar")!.shape).toEqual([]);
  });

  it("knows parameters, untyped storages and names on the stack", async () => {
    const parameter = py.reduce(
      py.global("torch._utils", "_rebuild_parameter"),
      py.tuple(torchTensor(one()), py.bool(true), py.orderedDict()),
    );
    const untyped = py.persistent(
      py.tuple(
        py.str("storage"),
        py.stackGlobal("torch.storage", "UntypedStorage"),
        py.str("0"),
        py.str("cpu"),
        py.int(24),
      ),
    );
    const third = py.reduce(
      py.stackGlobal("torch._utils", "_rebuild_tensor_v3"),
      py.tuple(
        untyped,
        py.int(0),
        py.tuple(py.int(6)),
        py.tuple(py.int(1)),
        py.bool(false),
        py.orderedDict(),
        py.global("torch", "float32"),
      ),
    );
    const typed = py.reduce(
      py.global("torch._tensor", "_rebuild_from_type_v2"),
      py.tuple(
        py.global("torch._utils", "_rebuild_tensor_v2"),
        py.global("torch", "Tensor"),
        py.tuple(storage(one()), py.int(1), py.tuple(), py.tuple(), py.bool(false), py.orderedDict()),
        py.dict(),
      ),
    );
    const file = await openPickle(py.dict([py.str("p"), parameter], [py.str("u"), third], [py.str("t"), typed]));
    expect(Object.values(await all(file)).map((t) => (t as unknown[])[2])).toEqual([
      [1, 2, 3, 4, 5, 6],
      [1, 2, 3, 4, 5, 6],
      [2],
    ]);
  });

  it("finds the model beside optimizer, epoch and arguments, and lists what it left", async () => {
    const checkpoint = py.dict(
      [py.str("student"), stateDict({ s: one() })],
      [py.str("teacher"), stateDict({ t: one() })],
      [
        py.str("optimizer"),
        py.dict([py.str("state"), py.dict([py.int(0), py.dict([py.str("m"), torchTensor(one())])])]),
      ],
      [py.str("epoch"), py.int(3)],
      [py.str("args"), py.build(py.newobj(py.global("argparse", "Namespace")), py.dict([py.str("lr"), py.float(0.5)]))],
    );
    const file = await openPickle(checkpoint);
    expect([...file.tensors.keys()]).toEqual(["t"]);
    expect(file.others).toEqual([
      { name: "student", what: "a dict with 1 tensor" },
      { name: "optimizer", what: "a dict with 1 tensor" },
      { name: "epoch", what: "an int" },
      { name: "args", what: "a argparse.Namespace" },
    ]);
    expect([...(await openPickle(checkpoint, "student")).tensors.keys()]).toEqual(["s"]);
    await expect(openPickle(checkpoint, "nothing")).rejects.toThrow(
      /expected an entry "nothing", got student, teacher/,
    );
    const nested = py.dict([py.str("model"), py.dict([py.str("state_dict"), stateDict({ n: one() })])]);
    expect([...(await openPickle(nested)).tensors.keys()]).toEqual(["n"]);
    const unsaid = py.dict([py.str("a"), stateDict({ x: one() })], [py.str("b"), stateDict({ y: one() })]);
    await expect(openPickle(unsaid)).rejects.toThrow(/got a \(a dict with 1 tensor\), b .*\n.*--entry/);
    await expect(openPickle(py.dict([py.str("epoch"), py.int(1)]))).rejects.toThrow(/expected tensors, got epoch/);
  });

  it("reads OpenAI's pickled modules as their parameters", async () => {
    const module = (name: string, parameters: Piece, modules: Piece): Piece =>
      py.build(
        py.newobj(py.global("dall_e.utils", name)),
        py.dict(
          [py.str("_parameters"), parameters],
          [py.str("_buffers"), py.orderedDict()],
          [py.str("_modules"), modules],
        ),
      );
    const conv = module("Conv2d", stateDict({ w: one(), b: one({ shape: [3] }) }), py.orderedDict());
    const blocks = py.build(
      py.newobj(py.global("torch.nn.modules.container", "Sequential")),
      py.dict([py.str("_parameters"), py.orderedDict()], [py.str("_modules"), py.orderedDict([py.str("input"), conv])]),
    );
    const encoder = py.build(
      py.newobj(py.global("dall_e.encoder", "Encoder")),
      py.dict(
        [py.str("_parameters"), py.orderedDict()],
        [py.str("_modules"), py.orderedDict([py.str("blocks"), blocks])],
      ),
    );
    expect([...(await openPickle(encoder)).tensors.keys()]).toEqual(["blocks.input.w", "blocks.input.b"]);
  });

  it("is read from archives of 64 bits and from a small compressed pickle", async () => {
    const parts = torchParts(pickle(stateDict({ w: one() })), { 0: six });
    expect(await all(await open(await zipBytes(parts, { zip64: true })))).toHaveProperty("w");
    const [data, ...rest] = parts;
    const squeezed = { ...data!, data: deflateRawSync(data!.data), size: data!.data.length, method: 8 };
    expect(await all(await open(await zipBytes([squeezed, ...rest])))).toHaveProperty("w");
  });
});

describe("what a checkpoint must not do", () => {
  const refused: [what: string, value: Piece, reason: RegExp][] = [
    [
      "a call of the system",
      py.reduce(py.global("os", "system"), py.tuple(py.str("true"))),
      /got the name "os.system"\n.*nothing of the file was executed/,
    ],
    [
      "the same under its other name",
      py.reduce(py.stackGlobal("posix", "system"), py.tuple(py.str("true"))),
      /"posix.system"/,
    ],
    ["evaluation", py.reduce(py.global("builtins", "eval"), py.tuple(py.str("1"))), /"builtins.eval"/],
    [
      "a way to any attribute",
      py.reduce(py.global("builtins", "getattr"), py.tuple(py.none, py.str("x"))),
      /"builtins.getattr"/,
    ],
    ["a name of the objects of this language", py.global("__proto__", "constructor"), /"__proto__.constructor"/],
    [
      "a call inside of an allowed call",
      py.reduce(
        py.global("collections", "OrderedDict"),
        py.tuple(py.reduce(py.global("subprocess", "Popen"), py.tuple())),
      ),
      /"subprocess.Popen"/,
    ],
    [
      "a call of what a call gave",
      py.reduce(py.reduce(py.global("collections", "OrderedDict"), py.tuple()), py.tuple()),
      /expected a call that a state dict needs, got one of a dict/,
    ],
    [
      "calls inside of each other, deep",
      py.reduce(
        py.global("torch._tensor", "_rebuild_from_type_v2"),
        py.tuple(py.global("torch._tensor", "_rebuild_from_type_v2"), py.none, py.tuple()),
      ),
      /expected a function that makes a plain tensor/,
    ],
    ["a call of a dtype", py.reduce(py.global("torch", "float32"), py.tuple()), /got one of torch.float32/],
    ["an old instance", [0x28, 0x69, ...new TextEncoder().encode("os\nsystem\n")], /opcode 0x69/],
    ["the registry of extensions", [0x82, 1], /opcode 0x82/],
    ["buffers from outside", [0x97], /opcode 0x97/],
    ["a huge memo", [0x4e, 0x72, 0xff, 0xff, 0xff, 0x7f], /expected at most \d+ memos, got number 2147483647/],
    ["a memo that was not made", [0x68, 9], /expected memo 9, got none/],
    ["a text longer than the file", [0x8d, 0, 0, 0, 0, 0, 0, 0, 1], /got the end/],
    ["an integer of megabytes", [0x8b, 0, 0, 16, 0], /integer of at most 64 bytes/],
    ["fields on a text", py.build(py.str("x"), py.dict()), /expected an object that takes fields/],
    ["values for the keys of a tuple", [...py.tuple(), 0x4e, 0x4e, 0x73], /expected a dict, got a tuple/],
    ["more to take than there is", [0x52], /empty stack/],
    [
      "a storage that is not there",
      torchTensor(one({ key: "../../etc/passwd" })),
      /storage data\/..\/..\/etc\/passwd, got none/,
    ],
    ["a storage of another size", torchTensor(one({ length: 7 })), /storage 0: expected 28 bytes, got 24/],
    [
      "a tensor past its storage",
      stateDict({ w: one({ offset: 1 }) }),
      /w: expected \(2, 3\) inside of a storage of 24 bytes/,
    ],
    ["a tensor with strides past it", stateDict({ w: one({ strides: [3, 2] }) }), /inside of a storage/],
    [
      "a tensor of more elements than numbers can count",
      stateDict({ w: one({ shape: [2 ** 30, 2 ** 30], strides: [0, 0] }) }),
      /inside of a storage|of about the file's/,
    ],
    [
      "a tensor expanded to gigabytes",
      stateDict({ w: one({ shape: [2 ** 29], strides: [0] }) }),
      /of about the file's/,
    ],
    [
      "a negative size",
      py.reduce(
        py.global("torch._utils", "_rebuild_tensor_v2"),
        py.tuple(storage(one()), py.int(0), py.tuple([0x4a, 0xff, 0xff, 0xff, 0xff]), py.tuple(py.int(1))),
      ),
      /expected a storage, an offset, a shape and strides/,
    ],
    ["a storage of a strange type", torchTensor(one({ type: "ComplexFloat" })), /"torch.ComplexFloatStorage"/],
    ["another persistent id", py.persistent(py.tuple(py.str("module"), py.none)), /expected a reference to a storage/],
  ];
  it.each(refused)("%s is refused", async (_, value, reason) => {
    const error = await openPickle(value).then(
      () => expect.fail("expected a refusal"),
      (found: unknown) => found,
    );
    expect(error).toBeInstanceOf(CheckpointError);
    expect((error as Error).message).toMatch(reason);
  });

  it("grow without end: containers and operations are counted", async () => {
    const lists = new Array<number>(600_000).fill(0x5d);
    await expect(openPickle(lists)).rejects.toThrow(/at most 524288 containers/);
  });

  it("hold itself as a module", async () => {
    const state = (modules: Piece): Piece =>
      py.dict([py.str("_parameters"), py.orderedDict()], [py.str("_modules"), modules]);
    const own: Piece = [...py.newobj(py.global("dall_e.encoder", "Encoder")), 0x71, 0];
    const twice = py.orderedDict([py.str("a"), [0x68, 0]], [py.str("b"), [0x68, 0]]);
    await expect(openPickle(py.build(own, state(twice)))).rejects.toThrow(/one that holds itself/);
  });

  it("name itself: a dict inside of itself is listed once", async () => {
    const cycle = [0x7d, 0x71, 0, ...py.str("self"), 0x68, 0, 0x73, ...py.str("w"), ...torchTensor(one()), 0x73];
    const file = await openPickle(cycle);
    expect([...file.tensors.keys()]).toEqual(["w"]);
    expect(file.others).toEqual([{ name: "self", what: "a dict with 1 tensor" }]);
  });
});

describe("a forged archive", () => {
  const data = pickle(stateDict({ w: one() }));
  const parts = torchParts(data, { 0: six });
  const zero = parts.find(({ name }) => name === "archive/data/0")!;
  const others = parts.filter((part) => part !== zero);
  const forged: [what: string, parts: ZipPart[], reason: RegExp][] = [
    ["a name twice", [...parts, { name: "archive/data/0", data: six }], /"archive\/data\/0" twice/],
    ["a name outside", [...parts, { name: "archive/../../evil", data: six }], /names inside of the archive/],
    ["an absolute name", [...parts, { name: "/etc/passwd", data: six }], /names inside of the archive/],
    ["a name of another system", [...parts, { name: "archive\\..\\evil", data: six }], /names inside of the archive/],
    ["a drive", [...parts, { name: "C:evil", data: six }], /names inside of the archive/],
    [
      "another name before the bytes",
      [...others, { ...zero, localName: "archive/data/1" }],
      /expected one name, got another/,
    ],
    [
      "storages that overlap",
      [{ ...zero, start: 0 }, ...parts.filter((p) => p !== zero).map((p) => ({ ...p, start: 0 }))],
      /expected bytes of its own/,
    ],
    ["a size past the end", [...others, { ...zero, size: 1 << 30, stored: 1 << 30 }], /got the end of the entries/],
    ["two sizes", [...others, { ...zero, size: 12 }], /expected 12 bytes, got 24/],
    ["encryption", [...others, { ...zero, flags: 1 }], /expected no encryption/],
    ["a strange method", [...others, { ...zero, method: 99 }], /got method 99/],
    [
      "a compressed storage",
      [...others, { ...zero, data: deflateRawSync(six), method: 8, size: 24 }],
      /expected bytes that are stored/,
    ],
    [
      "a pickle that inflates to more than it says",
      [{ ...parts[0]!, data: deflateRawSync(new Uint8Array(1 << 20)), method: 8, size: 100 }, ...parts.slice(1)],
      /expected 100 bytes when inflated/,
    ],
    [
      "a pickle that says that it inflates to gigabytes",
      [{ ...parts[0]!, data: deflateRawSync(new Uint8Array(1000)), method: 8, size: 0x7fffffff }, ...parts.slice(1)],
      /expected at most/,
    ],
    ["two pickles", [...parts, { name: "other/data.pkl", data }], /several data.pkl/],
    ["no pickle", parts.slice(1), /no data.pkl/],
    ["a program", [...parts, { name: "archive/constants.pkl", data }], /TorchScript/],
    ["big-endian numbers", torchParts(data, { 0: six }, "big"), /expected little-endian numbers, got "big"/],
  ];
  it.each(forged)("with %s is refused", async (_, list, reason) => {
    const read = async (): Promise<unknown> => all(await open(await zipBytes(list)));
    await expect(read()).rejects.toThrow(CheckpointError);
    await expect(read()).rejects.toThrow(reason);
  });
});

describe("files that are no checkpoints of today", () => {
  const head = (...start: (number | string)[]): Uint8Array =>
    Uint8Array.from([
      ...start.flatMap((s) => (typeof s === "number" ? [s] : [...new TextEncoder().encode(s)])),
      ...new Array<number>(600).fill(0),
    ]);
  it.each([
    [
      "torch before 1.6",
      head(0x80, 2, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19),
      /before 1\.6.*\n.*torch\.save\(torch\.load\(/,
    ],
    [
      "the tar layout",
      (() => {
        const tar = head("sys_info");
        tar.set(new TextEncoder().encode("ustar"), 257);
        return tar;
      })(),
      /tar archive.*\n.*torch\.save\(torch\.load\(/,
    ],
    ["a tar archive without a magic", head("pickle\0"), /tar archive of torch 0\.1/],
    ["a plain pickle", head(0x80, 4, 0x95), /plain pickle/],
    ["a pointer of LFS", head("version https://git-lfs.github.com/spec/v1"), /Git LFS.*\n.*git lfs pull/],
    ["a page", head("<!doctype html>"), /a web page/],
    ["HDF5", head(0x89, "HDF\r\n"), /HDF5/],
    ["GGUF", head("GGUF"), /GGUF/],
    ["nothing known", head("hello"), /safetensors file|header/],
    ["an empty archive", Uint8Array.from([0x50, 0x4b, 3, 4]), /no.*complete|zip archive/],
  ])("%s is refused with what to do", async (_, bytes, reason) => {
    await expect(open(bytes)).rejects.toThrow(CheckpointError);
    await expect(open(bytes)).rejects.toThrow(reason);
  });
});

describe("damage", () => {
  const tensors = {
    w: one(),
    turned: one({ shape: [3, 2], strides: [1, 3] }),
    half: { type: "Half", key: "1", length: 3, shape: [3] },
  };
  const whole = py.dict([py.str("state_dict"), stateDict(tensors)], [py.str("epoch"), py.int(3)]);
  const storages = { 0: six, 1: bytesOf(Uint16Array.of(1, 2, 3)) };
  /** Tensors of the announced size, or an error of ours: nothing else, and soon. */
  async function survives(bytes: Uint8Array): Promise<void> {
    try {
      const file = await open(bytes);
      for (const [name, { shape, dtype }] of file.tensors) {
        const t = await file.read(name);
        expect([t.shape, t.dtype]).toEqual([shape, dtype]);
      }
    } catch (error) {
      expect(error).toBeInstanceOf(FlavaError);
    }
  }

  it("of an archive is answered with tensors of the announced size or an error of ours", async () => {
    const bytes = await checkpointBytes(whole, storages);
    const change = fc.record({ at: fc.nat(bytes.length - 1), value: fc.nat(255) });
    const damage = fc.record({ cut: fc.option(fc.nat(bytes.length)), changes: fc.array(change, { maxLength: 6 }) });
    await fc.assert(
      fc.asyncProperty(damage, async ({ cut, changes }) => {
        const copy = Uint8Array.from(bytes);
        for (const { at, value } of changes) copy[at] = value;
        await survives(cut === null ? copy : copy.subarray(0, cut));
      }),
      { numRuns: 400 },
    );
  });

  it("of a pickle inside of a sound archive is answered likewise", async () => {
    const data = pickle(whole);
    const edit = fc.record({ at: fc.nat(data.length - 1), remove: fc.nat(4), insert: fc.uint8Array({ maxLength: 6 }) });
    await fc.assert(
      fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 4 }), async (edits) => {
        let bytes = Array.from(data);
        for (const { at, remove, insert } of edits) bytes = bytes.toSpliced(at, remove, ...insert);
        await survives(await zipBytes(torchParts(Uint8Array.from(bytes), storages)));
      }),
      { numRuns: 400 },
    );
  });
});
