import { defineConfig } from "vitest/config";

/** `npm run test:browser`: the tests that start a Chromium, which the suite leaves out. */
export default defineConfig({
  test: {
    include: ["test/browser/*.slow.test.ts"],
    globalSetup: ["test/support/global-setup.ts"],
    testTimeout: 120_000,
    hookTimeout: 240_000,
    pool: "forks",
  },
});
