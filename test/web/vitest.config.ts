import { defineConfig } from "vitest/config";

/** `npm run test:web`: flava and its page in a real Chromium, which the suite leaves out. */
export default defineConfig({
  test: {
    include: ["test/web/*.slow.test.ts"],
    globalSetup: ["test/support/global-setup.ts", "test/web/global-setup.ts"],
    setupFiles: ["test/support/matchers.ts"],
    testTimeout: 300_000,
    hookTimeout: 600_000,
    pool: "forks",
    fileParallelism: false,
  },
});
