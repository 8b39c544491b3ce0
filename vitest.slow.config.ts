import { defineConfig, mergeConfig } from "vitest/config";
import base from "./vitest.config.ts";

/** `npm run test:slow`: what takes longer than the suite may; each file says why. Browsers have their own (test/browser, test/web). */
export default mergeConfig(
  { ...base, test: { ...base.test, include: [], exclude: [] } },
  defineConfig({
    test: {
      include: ["src/**/*.slow.test.ts", "test/**/*.slow.test.ts"],
      exclude: ["node_modules", "dist", "build", "test/browser/**", "test/web/**"],
      testTimeout: 600_000,
      hookTimeout: 600_000,
    },
  }),
);
