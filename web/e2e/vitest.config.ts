import { defineConfig } from "vitest/config";
import type { Reporter, TestCase } from "vitest/node";

/** Ends the run with the one line that `cargo xtask test` reads. */
class Summary implements Reporter {
  private passed = 0;
  private failed = 0;

  onTestCaseResult(test: TestCase): void {
    const { state } = test.result();
    if (state === "passed") this.passed++;
    if (state === "failed") this.failed++;
  }

  onTestRunEnd(modules: readonly { errors(): readonly unknown[]; children: { allTests(): Iterable<TestCase> } }[], errors: readonly unknown[]): void {
    // A file that could not even start counts as one failure.
    const broken = errors.length + modules.reduce((sum, module) => sum + module.errors().length, 0);
    console.log(`e2e: ${this.passed} passed, ${this.failed + broken} failed`);
  }
}

/** One browser and one server at a time: two cores are enough for that. */
export default defineConfig({
  test: {
    root: import.meta.dirname,
    include: ["*.test.ts"],
    fileParallelism: false,
    sequence: { concurrent: false },
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // What is slow on a busy machine is not wrong; what has to be quick is measured.
    expect: { poll: { timeout: 15_000 } },
    reporters: ["verbose", new Summary()],
  },
});
