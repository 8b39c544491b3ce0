import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["src/**/*.test.ts", "test/**/*.test.ts"],
    exclude: ["**/*.slow.test.ts", "node_modules", "dist", "build"],
    globalSetup: ["test/support/global-setup.ts"],
    setupFiles: ["test/support/matchers.ts"],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // onnxruntime-node's binding keeps native threads per process: forks keep one test file from seeing another's.
    pool: "forks",
    // One less than there are processors is the default: of two that is one, and much of the time is the start of processes.
    maxWorkers: "100%",
  },
});
