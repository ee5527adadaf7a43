// Anthropic's own client.
import Anthropic from "@anthropic-ai/sdk";
import { zodOutputFormat } from "@anthropic-ai/sdk/helpers/zod";
import { betaTool } from "@anthropic-ai/sdk/helpers/beta/json-schema";
import { PLACE, PNG, QUESTION, SYSTEM, functions } from "./asked.mjs";

const ASK = [{ role: "user", content: QUESTION }];
const THINKING = { thinking: { type: "enabled", budget_tokens: 1024 }, max_tokens: 4000 };

export function caller(baseURL, apiKey) {
  const client = new Anthropic({ baseURL, apiKey, maxRetries: 0, timeout: 30_000 });
  const { messages } = client;
  const textOf = (message) =>
    message.content
      .filter((block) => block.type === "text")
      .map((block) => block.text)
      .join("");

  return {
    async text({ model }) {
      const answer = await messages.create({ model, messages: ASK, max_tokens: 100 });
      return {
        text: textOf(answer),
        model: answer.model,
        finish: answer.stop_reason,
        usage: [answer.usage.input_tokens, answer.usage.output_tokens],
      };
    },
    async streamed({ model, begun }) {
      const stream = messages.stream({ model, messages: ASK, max_tokens: 100 });
      const pieces = [];
      stream.on("text", (piece) => {
        pieces.push(piece);
        begun();
      });
      const { usage, stop_reason } = await stream.finalMessage();
      return { pieces, finish: stop_reason, usage: [usage.input_tokens, usage.output_tokens] };
    },
    async system({ model }) {
      const ask = { model, messages: ASK, system: SYSTEM, temperature: 0.5, max_tokens: 300 };
      return { text: textOf(await messages.create(ask)) };
    },
    async turns({ model }) {
      const history = [...ASK, { role: "assistant", content: "Hello." }, { role: "user", content: "And?" }];
      return { text: textOf(await messages.create({ model, messages: history, max_tokens: 100 })) };
    },
    // By the client's own loop; it asks /v1/messages?beta=true.
    async tools({ model, count, stream, effort }) {
      const calls = [];
      const tools = functions(count, calls).map(({ name, description, parameters, run }) =>
        betaTool({ name, description, inputSchema: parameters, run }),
      );
      const more = effort ? THINKING : { max_tokens: 1000 };
      const runner = client.beta.messages.toolRunner({ model, messages: ASK, tools, stream, ...more });
      return { text: textOf(await runner.runUntilDone()), calls };
    },
    async forced({ model }) {
      const tools = functions(2, []).map(({ name, description, parameters }) => ({ name, description, input_schema: parameters }));
      await messages.create({ model, messages: ASK, max_tokens: 100, tools, tool_choice: { type: "tool", name: "get_time" } });
      return {};
    },
    async image({ model }) {
      const content = [
        { type: "text", text: "What is this?" },
        { type: "image", source: { type: "base64", media_type: "image/png", data: PNG } },
      ];
      return { text: textOf(await messages.create({ model, messages: [{ role: "user", content }], max_tokens: 100 })) };
    },
    async schema({ model, stream }) {
      const ask = { model, messages: ASK, max_tokens: 100, output_config: { format: zodOutputFormat(PLACE) } };
      const answer = stream ? await messages.stream(ask).finalMessage() : await messages.parse(ask);
      return { value: answer.parsed_output };
    },
    async thoughts({ model, stream }) {
      const ask = { model, messages: ASK, ...THINKING };
      const told = [];
      let answer;
      if (stream) {
        const events = messages.stream(ask);
        events.on("thinking", (piece) => told.push(piece));
        answer = await events.finalMessage();
      } else answer = await messages.create(ask);
      const thoughts = answer.content
        .filter((block) => block.type === "thinking")
        .map((block) => block.thinking)
        .join("");
      if (stream && told.join("") !== thoughts) throw new Error(`told ${told.join("")}, kept ${thoughts}`);
      return { thoughts, text: textOf(answer) };
    },
    async models({ model }) {
      const names = [];
      for await (const card of client.models.list()) names.push(card.id);
      return { names, one: (await client.models.retrieve(model)).id };
    },
    async count({ model }) {
      return { tokens: (await messages.countTokens({ model, messages: ASK })).input_tokens };
    },
    async wrong({ model }) {
      await messages.create({ model, max_tokens: 100, messages: [{ role: "user", content: [{ type: "text", text: 5 }] }] });
    },
  };
}
