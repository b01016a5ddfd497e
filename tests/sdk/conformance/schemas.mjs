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

/** Event type, with subtype if it has one → schema. */
export function eventSchemas() {
  const generator = createGenerator({ ...settings, path: path.join(types, 'dist/events/*.d.ts'), type: '*' });
  const { definitions } = generator.createSchema('SlackEvent');
  const found = new Map();
  for (const definition of Object.values(definitions)) {
    const type = definition.properties?.type?.const;
    if (type === undefined) continue;
    const subtype = definition.properties.subtype?.const;
    // A message inside of a message is checked as one of its own kind, see check.mjs.
    const inner = { message: {}, previous_message: {} };
    const properties = type === 'message' ? { ...definition.properties, ...inner } : definition.properties;
    found.set(subtype === undefined ? type : `${type} ${subtype}`, { ...definition, properties, definitions });
  }
  return found;
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

/** The keys of a schema's objects, as paths; each definition is entered once on a way. */
export function keys(schema) {
  const all = new Set();
  const walk = (node, at, seen) => {
    if (node === undefined || typeof node !== 'object') return;
    if (node.$ref) {
      const name = decodeURIComponent(node.$ref.replace('#/definitions/', ''));
      if (!seen.includes(name)) walk(schema.definitions?.[name], at, [...seen, name]);
      return;
    }
    for (const inner of [...(node.anyOf ?? []), ...(node.allOf ?? [])]) walk(inner, at, seen);
    if (node.items) walk(node.items, at, seen);
    for (const [key, inner] of Object.entries(node.properties ?? {})) {
      all.add(`${at}/${key}`);
      if (at.split('/').length < 4) walk(inner, `${at}/${key}`, seen);
    }
  };
  walk(schema, '', []);
  return all;
}
