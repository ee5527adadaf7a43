// A vendor simulator for as long as our standard input is open; tells its address as one line of JSON.
import { LLMock } from "@copilotkit/aimock";

const mock = new LLMock({ port: 0, chunkSize: 5 });
mock.onMessage("hello", { content: "Hi there, 世界!" });
mock.onMessage("think", { content: "It is 1081.", reasoning: "23 times 47 is 1081." });
mock.on({ userMessage: "weather", hasToolResult: true }, { content: "It is sunny in 東京." });
mock.on({ userMessage: "weather" }, { toolCalls: [{ name: "get_weather", arguments: { city: "東京" } }] });
mock.on(
  { userMessage: "two cities", hasToolResult: false },
  {
    toolCalls: [
      { name: "get_weather", arguments: { city: "Tokyo" } },
      { name: "get_weather", arguments: { city: "Paris" } },
    ],
  },
);
mock.onMessage("overloaded", { error: { message: "The model is overloaded.", type: "UNAVAILABLE" }, status: 503 });
await mock.start();
console.log(JSON.stringify({ url: mock.url }));
process.stdin.resume();
process.stdin.on("end", async () => {
  await mock.stop();
  process.exit(0);
});
