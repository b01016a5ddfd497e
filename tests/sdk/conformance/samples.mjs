// The samples of Slack's answers and events that the Java SDK publishes, where they are at hand: a key is there with a JSON
// type, whatever its value.
import { readFileSync, readdirSync } from 'node:fs';
import { eventKey } from './recordings.mjs';

/** Samples of `folder`: of responses by method, of events by type and subtype, and each key's types anywhere in them. */
export function samples(folder) {
  const responses = new Map(files(`${folder}/api`).map(([name, sample]) => [name, sample]));
  const events = new Map();
  for (const [, sample] of files(`${folder}/events`)) {
    if (sample.event) events.set(eventKey(sample.event), sample.event);
  }
  for (const [, sample] of files(`${folder}/rtm`)) events.set(eventKey(sample), sample);
  if (responses.size < 100 || events.size < 50) throw new Error(`few samples in ${folder}: ${responses.size} of responses, ${events.size} of events`);
  const anywhere = new Map();
  for (const sample of [...responses.values(), ...events.values()]) collect(sample, anywhere);
  return { responses, events, anywhere };
}

/** Calls `note(at, what)` for each key of a body that has another type than in the sample, or that no sample has at all. */
export function compareWithSample(body, sample, anywhere, note) {
  const walk = (ours, theirs, at) => {
    if (ours === null || theirs === null) return;
    if (kind(ours) !== kind(theirs)) return note(at, `is of type ${kind(ours)}, in Slack's sample ${kind(theirs)}`);
    if (Array.isArray(ours)) {
      if (theirs.length > 0) ours.forEach((it) => walk(it, theirs[0], `${at}/[]`));
      return;
    }
    if (kind(ours) !== 'object') return;
    for (const [key, value] of Object.entries(ours)) {
      if (key in theirs) walk(value, theirs[key], `${at}/${key}`);
      else if (value !== null && !anywhere.get(key)?.has(kind(value))) note(`${at}/${key}`, `is of type ${kind(value)}, in none of Slack's samples`);
    }
  };
  walk(body, sample, '');
}

function files(folder) {
  const names = readdirSync(folder).filter((it) => it.endsWith('.json'));
  return names.map((it) => [it.replace(/\.json$/, ''), JSON.parse(readFileSync(`${folder}/${it}`, 'utf8'))]);
}

function kind(value) {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'array' : typeof value;
}

function collect(sample, anywhere) {
  if (Array.isArray(sample)) return sample.forEach((it) => collect(it, anywhere));
  if (kind(sample) !== 'object') return;
  for (const [key, value] of Object.entries(sample)) {
    if (!anywhere.has(key)) anywhere.set(key, new Set());
    anywhere.get(key).add(kind(value));
    collect(value, anywhere);
  }
}
