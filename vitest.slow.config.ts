import { defineConfig, mergeConfig } from "vitest/config";
import base from "./vitest.config.ts";

/** `npm run test:slow`: what takes longer than the suite may; each file says why. The browser has its own (test/browser). */
export default mergeConfig(
  { ...base, test: { ...base.test, include: [], exclude: [] } },
  defineConfig({
    test: {
      include: ["src/**/*.slow.test.ts", "test/**/*.slow.test.ts"],
      exclude: ["node_modules", "dist", "build", "test/browser/**"],
      testTimeout: 600_000,
      hookTimeout: 600_000,
    },
  }),
);
