// What every client asks: the same question, functions, picture and schema.
import * as z from "zod";

export const QUESTION = "Hi";
export const SYSTEM = "Be brief. 简短。";
export const PNG =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
export const PLACE = z.object({
  city: z.string(),
  celsius: z.number().int(),
  kind: z.enum(["town", "village"]),
  people: z.array(z.object({ name: z.string(), age: z.number().nullable() })),
});
export const PLACE_SCHEMA = z.toJSONSchema(PLACE);
delete PLACE_SCHEMA.$schema;

const FUNCTIONS = [
  {
    name: "get_weather",
    description: "The weather in a city",
    parameters: {
      type: "object",
      properties: { city: { type: "string" } },
      required: ["city"],
      additionalProperties: false,
    },
    answer: (given) => `18 degrees in ${given.city}`,
  },
  {
    name: "get_time",
    description: "The time",
    parameters: { type: "object", properties: {}, additionalProperties: false },
    answer: () => "12:00",
  },
];

// The first `count` functions; each keeps in `calls` what it was called with.
export function functions(count, calls) {
  return FUNCTIONS.slice(0, count).map((known) => ({
    ...known,
    run: (given) => {
      calls.push([known.name, given]);
      return known.answer(given);
    },
  }));
}
