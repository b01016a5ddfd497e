// What the server said in the tests, as `PARLANCE_RECORD` kept it: a JSON object a line, of `kind` (`response`, `rtm`,
// `realtime`), `name` (method or event type) and `body`.
import { existsSync, readFileSync, readdirSync } from 'node:fs';

/** Name → bodies, for successful responses, and for events. A folder may be missing. */
export function read(folders) {
  const responses = new Map();
  const events = new Map();
  const files = folders.filter((it) => existsSync(it)).flatMap((it) => readdirSync(it).map((file) => `${it}/${file}`));
  for (const line of files.flatMap((file) => readFileSync(file, 'utf8').split('\n'))) {
    if (line === '') continue;
    const { kind, name, body } = JSON.parse(line);
    if (kind === 'response') {
      if (body.ok === true) add(responses, name, body);
    } else if (!isControl(name)) {
      // The same event over our own protocol has a position.
      const { _p, ...event } = body;
      add(events, eventKey(event), event);
    }
  }
  return { responses, events };
}

/** An event type, with its subtype. */
export function eventKey(body) {
  return body.subtype === undefined ? body.type : `${body.type} ${body.subtype}`;
}

/** Frames of our own protocol, and answers to what a client sent: a `pong` echoes whatever was asked. */
function isControl(name) {
  return name.startsWith('_') || name === 'pong';
}

function add(map, key, body) {
  if (!map.has(key)) map.set(key, []);
  map.get(key).push(body);
}
