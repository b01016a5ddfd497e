// Compares a body with a schema. What differs is a finding, unless an exception says what is there instead.
import { validator } from './schemas.mjs';

/** Differences between bodies and schemas, and which exceptions were met. */
export class Comparison {
  /** `exceptions`: see exceptions.mjs. */
  constructor(exceptions) {
    this.exceptions = exceptions.map((it) => ({ ...it, met: new Set(), holds: it.as && validator(it.as) }));
    this.findings = new Map();
  }

  /** Compares a body. */
  compare(name, validate, body) {
    if (validate(body)) return;
    const found = new Map();
    for (const error of validate.errors) {
      const at = place(error);
      const what = this.#finding(name, body, at, error);
      if (what) found.set(`${pattern(what.at)}: ${what.text}`, what);
    }
    for (const { at, text } of found.values()) this.note(name, pattern(at), text);
  }

  /** Counts a finding. */
  note(name, at, text) {
    const key = `${name} ${at}: ${text}`;
    this.findings.set(key, (this.findings.get(key) ?? 0) + 1);
  }

  /** A sentence for each finding, and for each exception that no body has met. */
  problems() {
    const findings = [...this.findings].sort().map(([finding, times]) => (times > 1 ? `${finding} (${times} times)` : finding));
    const unmet = this.exceptions
      .filter((it) => !it.sometimes)
      .flatMap(({ of, at, met, each, why }) => {
        const missing = of.filter((name) => !met.has(name));
        if (each === false) return met.size === 0 ? [`the exception ${at} (${why}) is met by nothing any more`] : [];
        return missing.map((name) => `the exception ${name} ${at} (${why}) is not met any more`);
      });
    return [...findings, ...unmet];
  }

  /** The finding of an error; nothing if an exception excuses it. */
  #finding(name, body, at, error) {
    const of = this.exceptions.filter((it) => it.of.includes(name));
    if (error.keyword === 'required') {
      const missing = of.find((it) => it.missing && it.at === pattern(at));
      if (missing) {
        missing.met.add(name);
        return undefined;
      }
    }
    for (let length = 1; length <= at.length; length += 1) {
      const prefix = at.slice(0, length);
      const instead = of.find((it) => it.holds && it.at === pattern(prefix));
      const value = prefix.reduce((inner, key) => inner?.[key], body);
      if (!instead || value === undefined) continue;
      instead.met.add(name);
      if (instead.holds(value)) return undefined;
      const [first] = instead.holds.errors;
      const inside = [...prefix, ...place(first)];
      return { at: inside, text: `${text(first)}, nor is it what the exception says (${instead.why})` };
    }
    return { at, text: text(error) };
  }
}

/** Where a key is, as a list of keys; a key that should not be there, or is missing, included. */
function place(error) {
  const key = error.params.additionalProperty ?? error.params.missingProperty;
  const keys = error.instancePath.split('/').slice(1).map((it) => it.replaceAll('~1', '/').replaceAll('~0', '~'));
  return key === undefined ? keys : [...keys, key];
}

/** A place without the numbers of items. */
function pattern(at) {
  return at.map((key) => `/${/^\d+$/.test(key) ? '[]' : key}`).join('');
}

function text(error) {
  switch (error.keyword) {
    case 'additionalProperties':
      return 'not a key of the type';
    case 'required':
      return 'is missing';
    case 'const':
      return `must be ${JSON.stringify(error.params.allowedValue)}`;
    default:
      return error.message;
  }
}
