import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { temporaryFolder, writeFiles } from "../../test/support/data-fixtures.ts";
import { addressOf } from "./credentials.ts";
import { readPipConfig } from "./pip-config.ts";

describe("readPipConfig", () => {
  let home: string;
  const read = (env: NodeJS.ProcessEnv = {}) => readPipConfig({ XDG_CONFIG_DIRS: join(home, "none"), ...env }, home);
  beforeEach(async () => {
    home = await temporaryFolder();
  });

  it("is PyPI where nothing is said", async () => {
    expect(await read({ PIP_CONFIG_FILE: "/dev/null" })).toMatchObject({
      indexes: ["https://pypi.org/simple"],
      findLinks: [],
      files: [],
    });
  });

  it("takes the user's file, the environment's over it, PIP_CONFIG_FILE over those, and variables over all", async () => {
    await writeFiles(home, {
      ".config/pip/pip.conf":
        "# mine\n[global]\nindex-url = https://a/simple\ntimeout=60\nextra_index_url =\n    https://b/simple\n    https://c/simple\n; more\n[install]\nfind-links: ~/wheels /opt/wheels\n[freeze]\nindex-url = https://no/simple\n",
      "venv/pip.conf": "[global]\ncert = /etc/own.pem\ntimeout = 5\n",
      "named.conf": "[global]\nindex-url = https://d/simple\ntrusted-host = d\n",
    });
    expect(await read()).toMatchObject({
      indexes: ["https://a/simple", "https://b/simple", "https://c/simple"],
      findLinks: [join(home, "wheels"), "/opt/wheels"],
      timeoutMs: 60_000,
    });
    const found = await read({
      VIRTUAL_ENV: join(home, "venv"),
      PIP_CONFIG_FILE: join(home, "named.conf"),
      PIP_EXTRA_INDEX_URL: "https://e/simple https://f/simple",
      PIP_RETRIES: "2",
    });
    expect(found).toMatchObject({
      indexes: ["https://d/simple", "https://e/simple", "https://f/simple"],
      trustedHosts: ["d"],
      cert: "/etc/own.pem",
      timeoutMs: 5000,
      retries: 2,
    });
    expect(found.files.slice(-3).map((path) => path.slice(home.length + 1))).toEqual([
      join(".config", "pip", "pip.conf"),
      join("venv", "pip.conf"),
      "named.conf",
    ]);
  });

  it("uses no index where pip is told to use none, and says which file is missing", async () => {
    expect((await read({ PIP_NO_INDEX: "1", PIP_INDEX_URL: "https://a/simple" })).indexes).toEqual([]);
    await expect(read({ PIP_CONFIG_FILE: join(home, "gone.conf") })).rejects.toThrow(/gone\.conf: expected pip's/);
  });
});

describe("addressOf", () => {
  const netrc = () =>
    "# hosts\nmachine other login no password no\nmachine mirror.example\n  login me\n  password secret\n";
  const basic = (text: string) => ({ authorization: `Basic ${Buffer.from(text).toString("base64")}` });

  it("takes credentials from the address, from the index on the same host, or from netrc", () => {
    const index = addressOf("https://joe:a%40b@host/simple", undefined, netrc);
    expect(index).toEqual({ url: "https://host/simple", headers: basic("joe:a@b") });
    expect(addressOf("https://host/files/x.whl", index, netrc).headers).toEqual(index.headers);
    expect(addressOf("https://elsewhere/x.whl", index, netrc).headers).toEqual({});
    expect(addressOf("https://mirror.example/simple", undefined, netrc).headers).toEqual(basic("me:secret"));
  });
});
