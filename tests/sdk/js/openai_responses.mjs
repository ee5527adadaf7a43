// OpenAI's own client, in Responses.
import OpenAI from "openai";
import { zodTextFormat } from "openai/helpers/zod";
import { PLACE, PNG, QUESTION, SYSTEM, functions } from "./asked.mjs";

export function caller(base, apiKey) {
  const client = new OpenAI({ baseURL: `${base}/v1`, apiKey, maxRetries: 0, timeout: 30_000 });
  const { responses } = client;

  const thoughtsOf = (output) =>
    output
      .filter((item) => item.type === "reasoning")
      .flatMap((item) => item.summary.map((part) => part.text))
      .join("");

  return {
    async text({ model }) {
      const answer = await responses.create({ model, input: QUESTION });
      return {
        text: answer.output_text,
        model: answer.model,
        finish: answer.status,
        usage: [answer.usage.input_tokens, answer.usage.output_tokens],
      };
    },
    async streamed({ model, begun }) {
      const seen = { pieces: [], numbers: [], finish: null, usage: null };
      for await (const event of await responses.create({ model, input: QUESTION, stream: true })) {
        seen.numbers.push(event.sequence_number);
        if (event.type === "response.output_text.delta") {
          seen.pieces.push(event.delta);
          begun();
        }
        // The client throws at an event named error; this one it leaves to whom it may concern.
        if (event.type === "response.failed") throw new OpenAI.APIError(undefined, event.response.error);
        if (event.type === "response.completed") {
          const { usage, status } = event.response;
          seen.usage = [usage.input_tokens, usage.output_tokens];
          seen.finish = status;
        }
      }
      return seen;
    },
    async system({ model }) {
      const ask = { model, input: QUESTION, instructions: SYSTEM, temperature: 0.5, max_output_tokens: 300 };
      return { text: (await responses.create(ask)).output_text };
    },
    async turns({ model }) {
      const input = [
        { role: "user", content: QUESTION },
        { role: "assistant", content: "Hello." },
        { role: "user", content: "And?" },
      ];
      return { text: (await responses.create({ model, input })).output_text };
    },
    // `kept`: the history is the gateway's to keep, else it is sent again with every turn.
    async tools({ model, count, stream, effort, kept }) {
      const calls = [];
      const known = functions(count, calls);
      const more = { tools: known.map(({ name, description, parameters }) => ({ type: "function", name, description, parameters, strict: true })) };
      if (effort) more.reasoning = { effort, summary: "auto" };
      if (!kept) Object.assign(more, { store: false, include: ["reasoning.encrypted_content"] });
      const history = [{ role: "user", content: QUESTION }];
      let input = history;
      let earlier = {};
      for (let turn = 0; turn < 3; turn++) {
        const ask = { model, input, ...more, ...earlier };
        const answer = stream ? await responses.stream(ask).finalResponse() : await responses.create(ask);
        const asked = answer.output.filter((item) => item.type === "function_call");
        if (!asked.length) return { text: answer.output_text, calls };
        const results = asked.map((call) => ({
          type: "function_call_output",
          call_id: call.call_id,
          output: known.find(({ name }) => name === call.name).run(JSON.parse(call.arguments)),
        }));
        history.push(...answer.output, ...results);
        input = kept ? results : history;
        earlier = kept ? { previous_response_id: answer.id } : {};
      }
      throw new Error("it never answers");
    },
    async forced({ model }) {
      const tools = functions(2, []).map(({ name, description, parameters }) => ({ type: "function", name, description, parameters }));
      await responses.create({ model, input: QUESTION, tools, tool_choice: { type: "function", name: "get_time" } });
      return {};
    },
    async image({ model }) {
      const content = [
        { type: "input_text", text: "What is this?" },
        { type: "input_image", image_url: `data:image/png;base64,${PNG}`, detail: "auto" },
      ];
      return { text: (await responses.create({ model, input: [{ role: "user", content }] })).output_text };
    },
    async schema({ model, stream }) {
      const ask = { model, input: QUESTION, text: { format: zodTextFormat(PLACE, "place") } };
      const answer = stream ? await responses.stream(ask).finalResponse() : await responses.parse(ask);
      return { value: answer.output_parsed };
    },
    async thoughts({ model, stream }) {
      const ask = { model, input: QUESTION, reasoning: { effort: "low", summary: "auto" } };
      let told = "";
      let answer;
      if (stream) {
        const events = responses.stream(ask);
        events.on("response.reasoning_summary_text.delta", (event) => (told += event.delta));
        answer = await events.finalResponse();
        if (told !== thoughtsOf(answer.output)) throw new Error(`told ${told}, kept ${thoughtsOf(answer.output)}`);
      } else answer = await responses.create(ask);
      return { thoughts: thoughtsOf(answer.output), text: answer.output_text };
    },
    async models({ model }) {
      const names = [];
      for await (const card of client.models.list()) names.push(card.id);
      return { names, one: (await client.models.retrieve(model)).id };
    },
    async count({ model }) {
      return { tokens: (await responses.inputTokens.count({ model, input: QUESTION })).input_tokens };
    },
    async stored({ model }) {
      const answer = await responses.create({ model, input: QUESTION });
      const again = await responses.retrieve(answer.id);
      const items = [];
      for await (const item of responses.inputItems.list(answer.id)) items.push([item.role, item.content[0].text]);
      await responses.delete(answer.id);
      const gone = await responses.retrieve(answer.id).catch((error) => error);
      return { text: again.output_text, items, gone: [gone instanceof OpenAI.NotFoundError, gone.status] };
    },
    async wrong({ model }) {
      await responses.create({ model, input: [{ role: "user", content: [{ type: "input_text", text: 5 }] }] });
    },
  };
}
