// OpenAI's own client for JavaScript against the built-in model; tells what it saw as one line of JSON.
import OpenAI from "openai";

const [baseURL, apiKey, model] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey, maxRetries: 0, timeout: 120_000 });
const ask = {
  model,
  messages: [{ role: "user", content: "Name one colour of the rainbow." }],
  max_tokens: 12,
  temperature: 0,
};
const whole = await client.chat.completions.create(ask);
const streamed = await client.chat.completions.stream(ask).finalContent();
const schema = {
  type: "object",
  properties: { city: { type: "string", maxLength: 12 }, celsius: { type: "integer" } },
  required: ["city", "celsius"],
  additionalProperties: false,
};
const place = await client.chat.completions.create({
  ...ask,
  max_tokens: 60,
  messages: [{ role: "user", content: "It is 18 degrees in Shanghai. City and temperature?" }],
  response_format: { type: "json_schema", json_schema: { name: "place", schema, strict: true } },
});
console.log(
  JSON.stringify({
    whole: whole.choices[0].message.content,
    streamed,
    place: JSON.parse(place.choices[0].message.content),
  }),
);
