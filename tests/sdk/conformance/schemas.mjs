// JSON schemas of Slack's TypeScript types, derived when they are asked for. Unknown keys are refused.
import { createRequire } from 'node:module';
import { existsSync } from 'node:fs';
import path from 'node:path';
import Ajv from 'ajv';
import { createGenerator } from 'ts-json-schema-generator';
import { WebClient } from '@slack/web-api';

const require = createRequire(import.meta.url);
const webApi = path.dirname(require.resolve('@slack/web-api/package.json'));
const types = path.dirname(require.resolve('@slack/types/package.json'));
const settings = { skipTypeCheck: true, additionalProperties: false, expose: 'export', topRef: false, jsDoc: 'none' };
let responses;
let shared;

/** `conversations.setTopic` → `ConversationsSetTopicResponse`. */
function typeName(method) {
  return `${method.split('.').map((it) => it[0].toUpperCase() + it.slice(1)).join('')}Response`;
}

/** The schema of a method's response, or nothing if there is no type. */
export function responseSchema(method) {
  const name = typeName(method);
  if (!existsSync(path.join(webApi, `dist/types/response/${name}.d.ts`))) return undefined;
  responses ??= createGenerator({ ...settings, path: path.join(webApi, 'dist/types/response/*.d.ts'), type: '*' });
  return responses.createSchema(name);
}

/** Event type, with subtype if it has one → schema. Only members of the union of all events: other types have a `type` too. */
export function eventSchemas() {
  const generator = createGenerator({ ...settings, path: path.join(types, 'dist/events/*.d.ts'), type: '*' });
  const { definitions, ...union } = generator.createSchema('SlackEvent');
  const found = new Map();
  const walk = (node) => {
    if (node?.$ref) return walk(definitions[decodeURIComponent(node.$ref.replace('#/definitions/', ''))]);
    if (node?.anyOf) return node.anyOf.forEach(walk);
    const type = node?.properties?.type?.const;
    if (type === undefined) throw new Error(`an event without a type: ${JSON.stringify(node)}`);
    const subtype = node.properties.subtype?.const;
    // A message inside of a message is checked as one of its own kind, see compare.mjs.
    const inner = Object.fromEntries(['message', 'previous_message'].filter((key) => node.properties[key]).map((key) => [key, {}]));
    const properties = type === 'message' ? { ...node.properties, ...inner } : node.properties;
    found.set(subtype === undefined ? type : `${type} ${subtype}`, { ...node, properties, definitions });
  };
  walk(union);
  return found;
}

/** The schema of a type that @slack/types exports. */
export function sharedSchema(name) {
  shared ??= createGenerator({ ...settings, path: path.join(types, 'dist/{*,block-kit/*,common/*}.d.ts'), type: '*' });
  // With an address of its own, so that its references are found wherever it stands.
  return { ...shared.createSchema(name), $id: `slack:${name}` };
}

/** Names of all methods that the SDK has. */
export function methodNames() {
  const names = [];
  const walk = (value, prefix) => {
    for (const [key, inner] of Object.entries(value)) {
      const name = prefix === '' ? key : `${prefix}.${key}`;
      if (typeof inner === 'function') names.push(name);
      else if (typeof inner === 'object' && inner !== null) walk(inner, name);
    }
  };
  const client = new WebClient();
  for (const [key, value] of Object.entries(client)) {
    if (typeof value === 'object' && value !== null && Object.values(value).some((it) => typeof it === 'function' || isFamily(it))) {
      if (isFamily(value)) walk(value, key);
    }
  }
  return names.filter((name) => existsSync(path.join(webApi, `dist/types/response/${typeName(name)}.d.ts`))).sort();
}

function isFamily(value) {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

/** A function that checks a body. */
export function validator(schema) {
  return new Ajv({ allErrors: true, strict: false }).compile(schema);
}

/** The keys of a schema's object and of the objects directly in it, as paths. */
export function keys(schema) {
  const all = new Set();
  const walk = (node, at, depth, seen) => {
    if (node === undefined || typeof node !== 'object') return;
    if (node.$ref) {
      const name = decodeURIComponent(node.$ref.replace('#/definitions/', ''));
      if (!seen.includes(name)) walk(schema.definitions?.[name], at, depth, [...seen, name]);
      return;
    }
    for (const inner of [...(node.anyOf ?? []), ...(node.allOf ?? [])]) walk(inner, at, depth, seen);
    if (node.items) walk(node.items, at, depth, seen);
    for (const [key, inner] of Object.entries(node.properties ?? {})) {
      // What the type says is never there.
      if (inner.not) continue;
      all.add(`${at}/${key}`);
      if (depth > 1) walk(inner, `${at}/${key}`, depth - 1, seen);
    }
  };
  walk(schema, '', 2, []);
  return all;
}
