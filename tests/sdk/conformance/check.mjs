// Compares what the server said in the tests with the types that Slack publishes, and writes the page that says how far it
// goes.
//
//   node check.mjs RECORDINGS FURTHER METHODS.json PAGE [--write]
//
// RECORDINGS: folder of *.jsonl, of which the page is made; FURTHER: another, which is only compared and may be missing; METHODS.json: what `parlance methods` prints; PAGE: docs/api/compatibility.md, which must be
// what is generated, or is written with --write.
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { accepted, neverHere, untyped } from './exceptions.mjs';
import { eventSchemas, responseSchema, validator } from './schemas.mjs';
import { page } from './page.mjs';

const [recordings, further, methodsFile, pageFile] = process.argv.slice(2);
const write = process.argv.includes('--write');
const methods = JSON.parse(readFileSync(methodsFile, 'utf8')).map((it) => it.name);

/** Name → bodies, for successful responses, and for events. */
function read(folders) {
  const responses = new Map();
  const events = new Map();
  const files = folders.filter((it) => existsSync(it)).flatMap((it) => readdirSync(it).map((file) => `${it}/${file}`));
  for (const line of files.flatMap((file) => readFileSync(file, 'utf8').split('\n'))) {
    if (line === '') continue;
    const { kind, name, body } = JSON.parse(line);
    const into = kind === 'response' ? responses : events;
    if (kind === 'response' && body.ok !== true) continue;
    if (kind !== 'response' && (name.startsWith('_') || name === 'pong')) continue;
    const key = kind === 'response' ? name : eventKey(body);
    if (!into.has(key)) into.set(key, []);
    into.get(key).push(body);
  }
  return { responses, events };
}

const { responses, events } = read([recordings, further]);

/** An event type, with its subtype. */
function eventKey(body) {
  return body.subtype === undefined ? body.type : `${body.type} ${body.subtype}`;
}

const used = new Set();
const findings = new Map();

/** Notes a finding unless it is one of those that are as they should be. */
function note(name, path, what) {
  const known = accepted.findIndex(([of, at]) => of.test(name) && at.test(path));
  if (known >= 0) {
    used.add(known);
    return;
  }
  const key = `${name} ${path}: ${what}`;
  findings.set(key, (findings.get(key) ?? 0) + 1);
}

function compare(name, schema, bodies) {
  const validate = validator(schema);
  for (const body of bodies) {
    if (validate(body)) continue;
    for (const error of validate.errors) {
      const path = error.instancePath.replace(/\/\d+(?=\/|$)/g, '/[]');
      const key = error.params.additionalProperty ?? error.params.missingProperty;
      note(name, key === undefined ? path : `${path}/${key}`, error.keyword === 'additionalProperties' ? 'not a key of the type' : error.message);
    }
  }
}

let compared = 0;
for (const [name, bodies] of responses) {
  if (untyped.some((it) => it.test(name))) continue;
  const schema = responseSchema(name);
  if (schema === undefined) {
    note(name, '', 'has no response type');
    continue;
  }
  compare(name, schema, bodies);
  compared += bodies.length;
}
const typed = eventSchemas();
for (const [key, bodies] of events) {
  const schema = typed.get(key) ?? (key.startsWith('message ') ? undefined : typed.get(key.split(' ')[0]));
  if (schema === undefined) continue;
  // The same event over our own protocol has a position.
  compare(key, schema, bodies.map(({ _p, ...body }) => body));
  if (/^message message_(changed|deleted)$/.test(key)) {
    for (const inner of bodies.flatMap((body) => [body.message, body.previous_message]).filter((it) => it !== undefined)) {
      const of = typed.get(eventKey(inner)) ?? typed.get('message');
      // What only the envelope of an event has is not asked for.
      compare(eventKey(inner), { ...of, required: ['type', 'ts'] }, [inner]);
    }
  }
  compared += bodies.length;
}
for (const name of methods.filter((it) => !responses.has(it) && !/^(parlance\.|realtime\.connect$)/.test(it))) note(name, '', 'was never answered with ok in a test');

let failed = 0;
const report = (line) => console.log(line);
for (const [finding, times] of [...findings].sort()) {
  report(`not ok ${finding}${times > 1 ? ` (${times} times)` : ''}`);
  failed += 1;
}
accepted.forEach(([of, at, reason, sometimes], index) => {
  if (used.has(index) || sometimes) return;
  report(`not ok the exception ${of} ${at} (${reason}) is not used any more`);
  failed += 1;
});

const text = page({ methods, ...read([recordings]), typed, neverHere, untyped });
if (write) {
  writeFileSync(pageFile, text);
} else if (!existsSync(pageFile) || readFileSync(pageFile, 'utf8') !== text) {
  report(`not ok ${pageFile.split('/').slice(-3).join('/')} is not what the tests say: write it with \`cargo xtask test --only conformance --write\``);
  failed += 1;
}
report(`ok ${compared} bodies of ${responses.size} methods and ${events.size} kinds of events were compared`);
process.exit(failed === 0 ? 0 : 1);
