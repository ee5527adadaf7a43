// OpenAI's own client for JavaScript, through what people do with it; tells what it saw as one line of JSON.
import OpenAI from "openai";

const [baseURL, apiKey, model] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey, maxRetries: 0, timeout: 30_000 });
const ask = [{ role: "user", content: "Hi" }];
const tools = [
  {
    type: "function",
    function: {
      name: "get_weather",
      parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
    },
  },
];
const seen = {};

const whole = await client.chat.completions.create({ model, messages: ask });
seen.whole = whole.choices[0].message.content;
seen.usage = whole.usage.total_tokens;

seen.pieces = [];
const stream = await client.chat.completions.create({
  model,
  messages: ask,
  stream: true,
  stream_options: { include_usage: true },
});
for await (const chunk of stream) {
  if (chunk.choices[0]?.delta?.content) seen.pieces.push(chunk.choices[0].delta.content);
  if (chunk.usage) seen.streamUsage = chunk.usage.total_tokens;
}

const helper = client.chat.completions.stream({ model, messages: ask });
seen.helper = await helper.finalContent();

const runner = client.chat.completions.runTools({
  model,
  messages: ask,
  tools: [
    {
      type: "function",
      function: {
        ...tools[0].function,
        parse: JSON.parse,
        function: (args) => {
          seen.called = args;
          return { degrees: 18 };
        },
      },
    },
  ],
});
seen.afterTools = await runner.finalContent();

const streamed = client.chat.completions.stream({ model, messages: ask, tools });
seen.streamedCall = (await streamed.finalChatCompletion()).choices[0].message.tool_calls.map((call) => [
  call.id.length > 0,
  call.function.name,
  JSON.parse(call.function.arguments),
]);

const formed = await client.chat.completions.create({
  model,
  messages: ask,
  response_format: {
    type: "json_schema",
    json_schema: { name: "place", schema: { type: "object", properties: { city: { type: "string" } } } },
  },
});
seen.json = JSON.parse(formed.choices[0].message.content);

seen.models = [];
for await (const card of client.models.list()) seen.models.push(card.id);
seen.one = (await client.models.retrieve(model)).id;

try {
  await client.chat.completions.create({ model: "no-such-model", messages: ask });
} catch (error) {
  seen.missing = [error instanceof OpenAI.NotFoundError, error.status, error.code];
}
try {
  await new OpenAI({ baseURL, apiKey: "wrong", maxRetries: 0 }).chat.completions.create({ model, messages: ask });
} catch (error) {
  seen.refused = [error instanceof OpenAI.AuthenticationError, error.status];
}
console.log(JSON.stringify(seen));
