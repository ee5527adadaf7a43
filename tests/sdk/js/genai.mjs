// Google's own client.
import { GoogleGenAI } from "@google/genai";
import { PLACE_SCHEMA, PNG, QUESTION, SYSTEM, functions } from "./asked.mjs";

export function caller(baseUrl, apiKey) {
  const { models } = new GoogleGenAI({ apiKey, httpOptions: { baseUrl, timeout: 30_000 } });
  const usageOf = ({ usageMetadata }) => [usageMetadata.promptTokenCount, usageMetadata.candidatesTokenCount];

  async function collect(stream, begun = () => {}) {
    const seen = { pieces: [], thoughts: "", finish: null, usage: null };
    for await (const chunk of stream) {
      for (const part of chunk.candidates?.[0]?.content?.parts ?? []) {
        if (part.thought) seen.thoughts += part.text;
        else if (part.text) {
          seen.pieces.push(part.text);
          begun();
        }
      }
      seen.finish = chunk.candidates?.[0]?.finishReason ?? seen.finish;
      if (chunk.usageMetadata?.candidatesTokenCount) seen.usage = usageOf(chunk);
    }
    return seen;
  }

  return {
    async text({ model }) {
      const answer = await models.generateContent({ model, contents: QUESTION });
      return {
        text: answer.text,
        model: answer.modelVersion,
        finish: answer.candidates[0].finishReason,
        usage: usageOf(answer),
      };
    },
    async streamed({ model, begun }) {
      return collect(await models.generateContentStream({ model, contents: QUESTION }), begun);
    },
    async system({ model }) {
      const config = { systemInstruction: SYSTEM, temperature: 0.5, maxOutputTokens: 300 };
      return { text: (await models.generateContent({ model, contents: QUESTION, config })).text };
    },
    async turns({ model }) {
      const contents = [
        { role: "user", parts: [{ text: QUESTION }] },
        { role: "model", parts: [{ text: "Hello." }] },
        { role: "user", parts: [{ text: "And?" }] },
      ];
      return { text: (await models.generateContent({ model, contents })).text };
    },
    // By the client's own loop, which calls the functions by itself.
    async tools({ model, count, stream, effort }) {
      const calls = [];
      const known = functions(count, calls);
      const callable = {
        tool: async () => ({
          functionDeclarations: known.map(({ name, description, parameters }) => ({ name, description, parametersJsonSchema: parameters })),
        }),
        callTool: async (asked) =>
          asked.map(({ id, name, args }) => ({
            functionResponse: { id, name, response: { output: known.find((one) => one.name === name).run(args) } },
          })),
      };
      const config = { tools: [callable], ...(effort ? { thinkingConfig: { includeThoughts: true, thinkingBudget: 1024 } } : {}) };
      const ask = { model, contents: QUESTION, config };
      if (stream) return { text: (await collect(await models.generateContentStream(ask))).pieces.join(""), calls };
      return { text: (await models.generateContent(ask)).text, calls };
    },
    async forced({ model }) {
      const config = {
        tools: [{ functionDeclarations: functions(2, []).map(({ name, description, parameters }) => ({ name, description, parametersJsonSchema: parameters })) }],
        toolConfig: { functionCallingConfig: { mode: "ANY", allowedFunctionNames: ["get_time"] } },
      };
      await models.generateContent({ model, contents: QUESTION, config });
      return {};
    },
    async image({ model }) {
      const contents = [{ text: "What is this?" }, { inlineData: { mimeType: "image/png", data: PNG } }];
      return { text: (await models.generateContent({ model, contents })).text };
    },
    async schema({ model, stream }) {
      const config = { responseMimeType: "application/json", responseJsonSchema: PLACE_SCHEMA };
      const ask = { model, contents: QUESTION, config };
      const text = stream
        ? (await collect(await models.generateContentStream(ask))).pieces.join("")
        : (await models.generateContent(ask)).text;
      return { value: JSON.parse(text) };
    },
    async thoughts({ model, stream }) {
      const ask = { model, contents: QUESTION, config: { thinkingConfig: { includeThoughts: true, thinkingBudget: 1024 } } };
      if (stream) {
        const seen = await collect(await models.generateContentStream(ask));
        return { thoughts: seen.thoughts, text: seen.pieces.join("") };
      }
      const answer = await models.generateContent(ask);
      const thoughts = answer.candidates[0].content.parts
        .filter((part) => part.thought)
        .map((part) => part.text)
        .join("");
      return { thoughts, text: answer.text };
    },
    async models({ model }) {
      const names = [];
      for await (const card of await models.list()) names.push(card.name.replace("models/", ""));
      return { names, one: (await models.get({ model })).name.replace("models/", "") };
    },
    async count({ model }) {
      return { tokens: (await models.countTokens({ model, contents: QUESTION })).totalTokens };
    },
    async wrong({ model }) {
      await models.generateContent({ model, contents: [{ role: "user", parts: [{ text: 5 }] }] });
    },
  };
}
