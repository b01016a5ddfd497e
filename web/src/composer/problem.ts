import { errorText } from "../strings/en";
import { failureOf } from "../wire/api";
import { Misused } from "./commands";

/** What to tell a person about what did not work. */
export function problemOf(thrown: unknown): string {
  return thrown instanceof Misused ? thrown.message : errorText(failureOf(thrown).error);
}
