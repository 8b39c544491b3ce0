import { describe, expect, it } from "vitest";
import { engineNamed, engines } from "./catalogue.ts";
import { compareVersions, isPrerelease, parseRequirement } from "./version.ts";
import { describeMachine, parseWheelName, runsOn, thisMachine } from "./wheel-name.ts";

describe("compareVersions", () => {
  it("puts versions in the order of PEP 440", () => {
    const inOrder = [
      "1.0.dev456",
      "1.0a1",
      "1.0a2.dev456",
      "1.0a12.dev456",
      "1.0a12",
      "1.0b1.dev456",
      "1.0b2",
      "1.0b2.post345.dev456",
      "1.0b2.post345",
      "1.0rc1.dev456",
      "1.0rc1",
      "1.0",
      "1.0.post456.dev34",
      "1.0.post456",
      "1.0.15",
      "1.1.dev1",
      "1.10",
      "2!0.1",
    ];
    expect([...inOrder].reverse().sort(compareVersions)).toEqual(inOrder);
    expect(compareVersions("1.0", "1.0.0")).toBe(0);
    expect(compareVersions("v1.0-1", "1.0.post1")).toBe(0);
    expect(compareVersions("0.9.2", "0.12.0.1")).toBeLessThan(0);
    expect(compareVersions("nightly", "0.0.1")).toBeLessThan(0);
  });

  it("knows what comes before a release", () => {
    expect(["1.0rc1", "1.0.dev3", "0.9.2b1", "1.0.post1.dev2"].every(isPrerelease)).toBe(true);
    expect(["1.0", "1.0.post1", "2026.6.23"].some(isPrerelease)).toBe(false);
  });
});

describe("parseRequirement", () => {
  it("reads every requirement of the table", () => {
    for (const text of engines.flatMap(({ needs = [] }) => needs))
      expect(parseRequirement(text).name).toMatch(/^nvidia-/);
    const { name, fits } = parseRequirement("nvidia-cublas>=13.0.0.19,<14");
    expect(name).toBe("nvidia-cublas");
    expect(["13.0.0.19", "13.10", "13.0.0.18", "14.0"].map(fits)).toEqual([true, true, false, false]);
  });
});

describe("parseWheelName", () => {
  it("reads project, version and platforms, with a build number or without", () => {
    expect(parseWheelName("jax_rocm7_pjrt-0.9.2b1-py3-none-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl")).toEqual({
      project: "jax-rocm7-pjrt",
      version: "0.9.2b1",
      platforms: ["manylinux_2_27_x86_64", "manylinux_2_28_x86_64"],
    });
    expect(parseWheelName("A.B-1.0-7-cp39-cp39-win_amd64.whl")).toMatchObject({ project: "a-b", version: "1.0" });
    for (const name of ["a-1.0.tar.gz", "a-1.0-py3-none.whl", "a-x-py3-none-any.whl", "../a-1.0-py3-none-any.whl"])
      expect(parseWheelName(name), name).toBeUndefined();
  });
});

describe("runsOn", () => {
  const debian = { platform: "linux", arch: "x64", glibc: "2.36" };
  it("asks for the system, the processor and the age of the C library", () => {
    for (const tag of ["manylinux_2_27_x86_64", "manylinux2014_x86_64", "manylinux1_x86_64", "linux_x86_64"])
      expect(runsOn(tag, debian), tag).toBe(true);
    for (const tag of ["manylinux_2_37_x86_64", "manylinux_2_27_aarch64", "musllinux_1_2_x86_64", "win_amd64", "any"])
      expect(runsOn(tag, debian), tag).toBe(false);
    expect(runsOn("manylinux_2_27_x86_64", { ...debian, glibc: "2.9" })).toBe(false);
    expect(runsOn("musllinux_1_2_aarch64", { platform: "linux", arch: "arm64" })).toBe(true);
    expect(runsOn("manylinux_2_27_aarch64", { platform: "linux", arch: "arm64" })).toBe(false);
    expect(runsOn("win_amd64", { platform: "win32", arch: "x64" })).toBe(true);
    expect(runsOn("macosx_11_0_universal2", { platform: "darwin", arch: "arm64", macos: "15.0" })).toBe(true);
    expect(runsOn("macosx_14_0_arm64", { platform: "darwin", arch: "arm64", macos: "13.0" })).toBe(false);
  });

  it("knows this machine", () => {
    expect(thisMachine()).toMatchObject({ platform: process.platform, arch: process.arch });
    expect(describeMachine(debian)).toBe("linux-x64 with glibc 2.36");
  });
});

describe("engineNamed", () => {
  it("names the engines, and the nearest", () => {
    expect(() => engineNamed("xla-cuda")).toThrow(
      /engine "xla-cuda": expected one of xla-cpu, .*openvino\n {2}help: .*xla-cuda1/s,
    );
  });
});
