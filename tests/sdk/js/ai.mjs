// Vercel's client, over any of its providers.
import { createAnthropic } from "@ai-sdk/anthropic";
import { createGoogle } from "@ai-sdk/google";
import { createOpenAI } from "@ai-sdk/openai";
import * as ai from "ai";
import { PLACE, PNG, QUESTION, SYSTEM, functions } from "./asked.mjs";

globalThis.AI_SDK_LOG_WARNINGS = false;

// `providerOptions` that ask for thoughts, and tell what a name of the gateway's own cannot: that the model reasons.
const PROVIDERS = {
  "ai-openai-chat": {
    models: (base, apiKey) => createOpenAI({ baseURL: `${base}/v1`, apiKey }).chat,
    thinking: { openai: { reasoningEffort: "low", forceReasoning: true } },
  },
  "ai-openai-responses": {
    models: (base, apiKey) => createOpenAI({ baseURL: `${base}/v1`, apiKey }),
    thinking: { openai: { reasoningEffort: "low", reasoningSummary: "auto", forceReasoning: true } },
  },
  "ai-anthropic": {
    models: (base, apiKey) => createAnthropic({ baseURL: `${base}/v1`, apiKey }),
    thinking: { anthropic: { thinking: { type: "enabled", budgetTokens: 1024 } } },
  },
  "ai-google": {
    models: (base, apiKey) => createGoogle({ baseURL: `${base}/v1beta`, apiKey }),
    thinking: { google: { thinkingConfig: { includeThoughts: true, thinkingBudget: 1024 } } },
  },
};

export function caller(base, apiKey, name) {
  const { models, thinking } = PROVIDERS[name];
  const provider = models(base, apiKey);
  const usual = (model) => ({ model: provider(model), maxRetries: 0 });

  async function collect(ask, begun = () => {}) {
    const seen = { pieces: [], thoughts: "", finish: null, usage: null };
    for await (const part of ai.streamText({ ...ask, onError: () => {} }).fullStream) {
      if (part.type === "error") throw part.error;
      if (part.type === "text-delta") {
        seen.pieces.push(part.text);
        begun();
      }
      if (part.type === "reasoning-delta") seen.thoughts += part.text;
      if (part.type === "finish") {
        seen.finish = part.finishReason;
        seen.usage = [part.totalUsage.inputTokens, part.totalUsage.outputTokens];
      }
    }
    return seen;
  }

  return {
    async text({ model }) {
      const answer = await ai.generateText({ ...usual(model), prompt: QUESTION });
      return {
        text: answer.text,
        model: answer.response.modelId,
        finish: answer.finishReason,
        usage: [answer.usage.inputTokens, answer.usage.outputTokens],
      };
    },
    streamed: ({ model, begun }) => collect({ ...usual(model), prompt: QUESTION }, begun),
    async system({ model }) {
      const ask = { ...usual(model), system: SYSTEM, prompt: QUESTION, temperature: 0.5, maxOutputTokens: 300 };
      return { text: (await ai.generateText(ask)).text };
    },
    async turns({ model }) {
      const messages = [
        { role: "user", content: QUESTION },
        { role: "assistant", content: "Hello." },
        { role: "user", content: "And?" },
      ];
      return { text: (await ai.generateText({ ...usual(model), messages })).text };
    },
    async tools({ model, count, stream, effort, kept = true }) {
      const calls = [];
      const tools = {};
      for (const { name, description, parameters, run } of functions(count, calls))
        tools[name] = ai.tool({ description, inputSchema: ai.jsonSchema(parameters), execute: async (given) => run(given) });
      const options = effort ? structuredClone(thinking) : {};
      if (!kept) options.openai = { ...options.openai, store: false };
      const ask = { ...usual(model), prompt: QUESTION, tools, stopWhen: ai.stepCountIs(3), providerOptions: options };
      if (stream) return { text: (await collect(ask)).pieces.join(""), calls };
      return { text: (await ai.generateText(ask)).text, calls };
    },
    async forced({ model }) {
      const tools = {};
      for (const { name, description, parameters } of functions(2, []))
        tools[name] = ai.tool({ description, inputSchema: ai.jsonSchema(parameters) });
      await ai.generateText({ ...usual(model), prompt: QUESTION, tools, toolChoice: { type: "tool", toolName: "get_time" } });
      return {};
    },
    async image({ model }) {
      const content = [
        { type: "text", text: "What is this?" },
        { type: "image", image: PNG, mediaType: "image/png" },
      ];
      return { text: (await ai.generateText({ ...usual(model), messages: [{ role: "user", content }] })).text };
    },
    async schema({ model, stream }) {
      const ask = { ...usual(model), prompt: QUESTION, schema: PLACE, schemaName: "place" };
      if (stream) {
        const answer = ai.streamObject({ ...ask, onError: () => {} });
        for await (const part of answer.fullStream) if (part.type === "error") throw part.error;
        return { value: await answer.object };
      }
      return { value: (await ai.generateObject(ask)).object };
    },
    async thoughts({ model, stream }) {
      const ask = { ...usual(model), prompt: QUESTION, providerOptions: thinking };
      if (stream) {
        const seen = await collect(ask);
        return { thoughts: seen.thoughts, text: seen.pieces.join("") };
      }
      const answer = await ai.generateText(ask);
      return { thoughts: answer.reasoningText, text: answer.text };
    },
    async wrong({ model }) {
      const content = [{ type: "image", image: "AAAA", mediaType: "image/nonsense" }];
      await ai.generateText({ ...usual(model), messages: [{ role: "user", content }] });
    },
  };
}
