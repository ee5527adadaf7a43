// OpenAI's own client, in Chat.
import OpenAI from "openai";
import { zodResponseFormat } from "openai/helpers/zod";
import { PLACE, PNG, QUESTION, SYSTEM, functions } from "./asked.mjs";

// The documented way to see a model's thoughts in Chat.
const SHOWN = { reasoning_effort: "low", extra_body: { google: { thinking_config: { include_thoughts: true } } } };
const ASK = [{ role: "user", content: QUESTION }];

export function caller(base, apiKey) {
  const client = new OpenAI({ baseURL: `${base}/v1`, apiKey, maxRetries: 0, timeout: 30_000 });
  const chat = client.chat.completions;

  async function collect(stream, begun = () => {}) {
    const seen = { pieces: [], thoughts: "", finish: null, usage: null };
    for await (const chunk of stream) {
      const choice = chunk.choices[0];
      if (choice?.delta.content) {
        seen.pieces.push(choice.delta.content);
        begun();
      }
      seen.thoughts += choice?.delta.reasoning_content ?? "";
      seen.finish = choice?.finish_reason ?? seen.finish;
      if (chunk.usage) seen.usage = [chunk.usage.prompt_tokens, chunk.usage.completion_tokens];
    }
    return seen;
  }

  return {
    async text({ model }) {
      const answer = await chat.create({ model, messages: ASK });
      return {
        text: answer.choices[0].message.content,
        model: answer.model,
        finish: answer.choices[0].finish_reason,
        usage: [answer.usage.prompt_tokens, answer.usage.completion_tokens],
      };
    },
    async streamed({ model, begun }) {
      const ask = { model, messages: ASK, stream: true, stream_options: { include_usage: true } };
      return collect(await chat.create(ask), begun);
    },
    async system({ model }) {
      const messages = [{ role: "system", content: SYSTEM }, ...ASK];
      return { text: (await chat.create({ model, messages, temperature: 0.5, max_tokens: 300 })).choices[0].message.content };
    },
    async turns({ model }) {
      const messages = [...ASK, { role: "assistant", content: "Hello." }, { role: "user", content: "And?" }];
      return { text: (await chat.create({ model, messages })).choices[0].message.content };
    },
    async tools({ model, count, stream, effort }) {
      const calls = [];
      const tools = functions(count, calls).map(({ name, description, parameters, run }) => ({
        type: "function",
        function: { name, description, parameters, parse: JSON.parse, function: run },
      }));
      const more = effort ? SHOWN : {};
      const runner = chat.runTools({ model, messages: ASK, tools, stream, ...more });
      return { text: await runner.finalContent(), calls };
    },
    async forced({ model }) {
      const tools = functions(2, []).map(({ name, description, parameters }) => ({
        type: "function",
        function: { name, description, parameters },
      }));
      const choice = { type: "function", function: { name: "get_time" } };
      await chat.create({ model, messages: ASK, tools, tool_choice: choice });
      return {};
    },
    async image({ model }) {
      const content = [
        { type: "text", text: "What is this?" },
        { type: "image_url", image_url: { url: `data:image/png;base64,${PNG}` } },
      ];
      return { text: (await chat.create({ model, messages: [{ role: "user", content }] })).choices[0].message.content };
    },
    async schema({ model, stream }) {
      const ask = { model, messages: ASK, response_format: zodResponseFormat(PLACE, "place") };
      const answer = stream ? await chat.stream(ask).finalChatCompletion() : await chat.parse(ask);
      return { value: answer.choices[0].message.parsed };
    },
    async thoughts({ model, stream }) {
      const ask = { model, messages: ASK, ...SHOWN };
      if (stream) {
        const seen = await collect(await chat.create({ ...ask, stream: true }));
        return { thoughts: seen.thoughts, text: seen.pieces.join("") };
      }
      const { message } = (await chat.create(ask)).choices[0];
      return { thoughts: message.reasoning_content, text: message.content };
    },
    async models({ model }) {
      const names = [];
      for await (const card of client.models.list()) names.push(card.id);
      return { names, one: (await client.models.retrieve(model)).id };
    },
    async wrong({ model }) {
      await chat.create({ model, messages: [{ role: "user", content: [{ type: "text", text: 5 }] }] });
    },
  };
}
