// Every client under test in one process. A line of JSON on standard input is a case: {number, caller, case, ...what it
// asks}; a line on standard output is what the client saw: {number, seen} or {number, error}, and before it
// {number, begun} for each piece of a streamed text. The process ends with its input.
import { createInterface } from "node:readline";

const [base, key] = process.argv.slice(2);
const MODULES = {
  "openai-chat": "./openai_chat.mjs",
  "openai-responses": "./openai_responses.mjs",
  anthropic: "./anthropic.mjs",
  genai: "./genai.mjs",
  "ai-openai-chat": "./ai.mjs",
  "ai-openai-responses": "./ai.mjs",
  "ai-anthropic": "./ai.mjs",
  "ai-google": "./ai.mjs",
};
const made = new Map();

async function caller(name, secret) {
  const known = `${name} ${secret}`;
  if (!made.has(known)) made.set(known, (await import(MODULES[name])).caller(base, secret, name));
  return made.get(known);
}

// A class is told with all that it extends, so that a test may ask for any of them.
function kinds(error) {
  const names = [];
  for (let at = Object.getPrototypeOf(error); at; at = Object.getPrototypeOf(at)) names.push(at.constructor.name);
  return names;
}

async function answer({ number, caller: name, case: wanted, key: secret = key, ...ask }) {
  ask.begun = () => console.log(JSON.stringify({ number, begun: true }));
  try {
    return { number, seen: await (await caller(name, secret))[wanted](ask) };
  } catch (error) {
    const { status, statusCode, code, type, message, stack } = error;
    return { number, error: { kinds: kinds(error), status: status ?? statusCode, code, type, message, stack } };
  }
}

// Not one behind the other: a case that hangs fails alone.
for await (const line of createInterface({ input: process.stdin }))
  answer(JSON.parse(line)).then((told) => console.log(JSON.stringify(told)));
process.exit(0);
