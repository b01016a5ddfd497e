// What the programs share: the server they talk to, and one line per test.
import { readFileSync } from 'node:fs';

export const url = process.env.PARLANCE_URL;
export const seed = JSON.parse(readFileSync(process.env.PARLANCE_SEED, 'utf8'));
export const api = `${url}/api/`;
export const general = seed.channels.general;

let failed = 0;

/** Runs one test and prints `ok NAME` or `not ok NAME: why`. */
export async function test(name, run) {
  try {
    await within(30_000, 'the test', run());
    console.log(`ok ${name}`);
  } catch (error) {
    failed += 1;
    const why = error.data ? `${error.message} ${JSON.stringify(error.data)}` : (error.stack ?? String(error));
    console.log(`not ok ${name}: ${why.replaceAll('\n', ' | ')}`);
  }
}

/** Ends the program; its exit code says whether every test held. */
export function finish() {
  process.exit(failed === 0 ? 0 : 1);
}

/** The promise's value, or an error that says what did not come in time. */
export function within(ms, what, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} did not come within ${ms} ms`)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** A name that no other test uses. */
let names = 0;
export const unique = (word) => `${word}-${process.pid}-${(names += 1)}`;
