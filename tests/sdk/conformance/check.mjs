// Compares what the server said in the tests with the types that Slack publishes, and writes the page that says how far it
// goes.
//
//   node check.mjs RECORDINGS FURTHER METHODS.json PAGE [--write]
//
// RECORDINGS: folder of *.jsonl, of which the page is made; FURTHER: another, which is only compared and may be missing;
// METHODS.json: what `parlance methods` prints; PAGE: docs/api/compatibility.md, which must be what is generated, or is
// written with --write. PARLANCE_SLACK_SAMPLES: folder of Slack's samples, which are compared too if there is one;
// PARLANCE_SLACK_TABLES: folder with methods.tsv and events.tsv, whose names the page must have.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { Comparison } from './compare.mjs';
import { accepted, elsewhere, eventShapes, neverHere, sampled, untyped } from './exceptions.mjs';
import { NEITHER } from './names.mjs';
import { eventsOfPage, methodsOfPage, page } from './page.mjs';
import { eventKey, read } from './recordings.mjs';
import { compareWithSample, samples } from './samples.mjs';
import { eventSchemas, keys, responseSchema, validator } from './schemas.mjs';

const [recordings, further, methodsFile, pageFile] = process.argv.slice(2);
const write = process.argv.includes('--write');
const methods = JSON.parse(readFileSync(methodsFile, 'utf8')).map((it) => it.name);
const { responses, events } = read([recordings, further]);
const ofPage = read([recordings]);
const types = eventSchemas();
const comparison = new Comparison(accepted);
const problems = [];

compareResponses();
compareEvents();
const unlike = compareSamples();
const named = compareNames();
problems.push(...comparison.problems(), ...unused());

const text = page({ methods, ...ofPage, typed: types, neverHere, untyped, elsewhere, shaped: eventShapes.flatMap(({ of }) => of) });
if (write) {
  writeFileSync(pageFile, text);
} else if (!existsSync(pageFile) || readFileSync(pageFile, 'utf8') !== text) {
  problems.push(`${pageFile.split('/').slice(-3).join('/')} is not what the tests say: write it with \`cargo xtask test --only conformance --write\``);
}

problems.forEach((it) => console.log(`not ok ${it}`));
console.log(`ok ${count(responses)} answers of ${responses.size} methods and ${count(events)} events of ${events.size} kinds were compared`);
console.log(`    without a type of Slack's: ${[...responses.keys()].filter((it) => responseSchema(it) === undefined).sort().join(', ')}`);
console.log(`    events without one, compared with what we say they are: ${[...events.keys()].filter((it) => !types.has(it)).sort().join(', ')}`);
report('PARLANCE_SLACK_SAMPLES', unlike, (it) => `${it} bodies were compared with Slack's samples`);
report('PARLANCE_SLACK_TABLES', named, (it) => `${it} names of Slack's tables are on the page`);
process.exit(problems.length === 0 ? 0 : 1);

function compareResponses() {
  for (const [name, bodies] of responses) {
    const schema = responseSchema(name);
    if (schema !== undefined) {
      const validate = validator(schema);
      bodies.forEach((body) => comparison.compare(name, validate, body));
    } else if (!untyped.some(({ of }) => of.test(name))) {
      comparison.note(name, '', 'has no response type');
    }
  }
  for (const name of methods.filter((it) => !ofPage.responses.has(it) && !/^(parlance\.|realtime\.connect$)/.test(it))) {
    comparison.note(name, '', 'was never answered with ok in a test');
  }
}

function compareEvents() {
  const shapes = new Map(eventShapes.flatMap(({ of, as }) => of.map((it) => [it, as])));
  const whole = new Map();
  const inside = new Map();
  for (const [kind, schema] of [...shapes, ...types]) {
    whole.set(kind, validator(schema));
    // What only the envelope of an event has is not asked for in a message that it is about.
    if (kind.split(' ')[0] === 'message') inside.set(kind, validator({ ...schema, required: ['type', 'ts'] }));
  }
  for (const [kind, bodies] of events) {
    if (!whole.has(kind)) {
      comparison.note(kind, '', 'has no type in @slack/types, and none in exceptions.mjs');
      continue;
    }
    for (const body of bodies) {
      comparison.compare(kind, whole.get(kind), body);
      if (body.type !== 'message') continue;
      for (const inner of [body.message, body.previous_message].filter((it) => it !== undefined)) {
        const validate = inside.get(eventKey(inner));
        if (validate) comparison.compare(eventKey(inner), validate, inner);
        else comparison.note(kind, '/message', `is a message of kind ${eventKey(inner)}, which has no type`);
      }
    }
  }
}

/** How many bodies were compared; nothing without samples. */
function compareSamples() {
  const folder = process.env.PARLANCE_SLACK_SAMPLES;
  if (!folder) return undefined;
  const slack = samples(folder);
  const met = new Set();
  let compared = 0;
  for (const [ours, theirs] of [[responses, slack.responses], [events, slack.events]]) {
    for (const [name, bodies] of ours) {
      if (!theirs.has(name)) continue;
      compared += bodies.length;
      const note = (at, what) => {
        const excused = sampled.findIndex((it) => it.of.includes(name) && `${at}/`.startsWith(`${it.at}/`));
        if (excused >= 0) met.add(`${excused} ${name}`);
        else comparison.note(name, at, what);
      };
      bodies.forEach((body) => compareWithSample(body, theirs.get(name), slack.anywhere, note));
    }
  }
  sampled.forEach(({ of, at, why, sometimes }, index) => {
    for (const name of of.filter((it) => !sometimes && !met.has(`${index} ${it}`))) {
      problems.push(`the difference of ${name} ${at} to Slack's samples (${why}) is not met any more`);
    }
  });
  return compared;
}

/** How many names of Slack's tables were looked for on the page; nothing without tables. */
function compareNames() {
  const folder = process.env.PARLANCE_SLACK_TABLES;
  if (!folder) return undefined;
  const ours = new Set([...methodsOfPage(methods), ...eventsOfPage(types, events)]);
  const names = ['methods.tsv', 'events.tsv']
    .flatMap((it) => readFileSync(`${folder}/${it}`, 'utf8').split('\n').slice(1))
    .map((it) => it.split('\t'))
    .filter(([group, name]) => (group === 'A' || group === 'B') && !NEITHER.test(name))
    .map(([, name]) => name.replace('/', ' '));
  names.filter((it) => !ours.has(it)).forEach((it) => comparison.note(it, '', 'is in Slack\'s tables and not on the page: names.mjs'));
  return names.length;
}

/** One line on a check that needs a folder. An empty name means that it is left out on purpose. */
function report(variable, done, sentence) {
  if (done !== undefined) console.log(`ok ${sentence(done)}`);
  else if (process.env[variable] === '') console.log(`    left out: ${variable} names no folder`);
  else console.log(`skip ${variable} names no folder`);
}

/** What the lists have that is not needed any more. */
function unused() {
  const known = new Set(methods.flatMap((it) => [...keys(responseSchema(it) ?? {})].map((key) => key.split('/')[1])));
  return [
    ...untyped.filter(({ of }) => !methods.some((it) => of.test(it))).map(({ of }) => `no method is ${of}, which is said to have no type`),
    ...untyped.flatMap(({ of }) => methods.filter((it) => of.test(it) && responseSchema(it) !== undefined)).map((it) => `${it} is said to have no type, and has one`),
    ...neverHere.flatMap((it) => it.keys).filter((it) => !known.has(it)).map((it) => `no response has the key ${it}, which is said not to count`),
    ...eventShapes.filter((it) => !it.sometimes).flatMap((it) => it.of).filter((it) => !events.has(it)).map((it) => `no test has seen the event ${it}, which exceptions.mjs has`),
    ...elsewhere.filter((it) => ofPage.events.has(it) || !types.has(it)).map((it) => `${it} is said to come in other tests only`),
    ...[...events.keys()].filter((it) => types.has(it) && !ofPage.events.has(it) && !elsewhere.includes(it)).map((it) => `${it} comes, and not in the tests of the page: name it in exceptions.mjs, \`elsewhere\``),
    ...eventShapes.flatMap((it) => it.of).filter((it) => types.has(it)).map((it) => `${it} is said to have no type, and has one`),
  ];
}

function count(map) {
  return [...map.values()].reduce((sum, it) => sum + it.length, 0);
}
