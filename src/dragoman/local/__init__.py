"""The built-in model: fetch it, run it under llama.cpp in a supervised child process, bound it.

`pull` fetches the file, `supervise` keeps `child` alive, `gate` bounds what a worker sends there, `count` counts
tokens. Towards the workers the child is an OpenAI Chat Completions endpoint with a key, `front` and `mend` over
llama.cpp's own server. How it behaves (llama.cpp b11549, SmolLM2-135M, measured 2026-11):

- Honoured: temperature, top_p, seed (same seed, same answer while the prompt's cached part is the same), stop
  (string or list; the stop text is not in the answer), max_tokens, max_completion_tokens (wins over max_tokens),
  presence_penalty, frequency_penalty, logit_bias, n up to the number of slots, logprobs and top_logprobs,
  response_format json_object and json_schema (by grammar; `strict` is taken for granted), stream_options.
- Ignored without a word: `model` (answers carry the alias), tools and tool_choice (`required` too: the template has
  no place for them, the answer is prose), user, metadata, store, reasoning_effort, any unknown field; values out of
  range of temperature and top_p; max_tokens 0 gives one token. Missing schema in json_schema: any JSON. A `pattern`
  not anchored with ^ and $ is not enforced. Unknown roles and an empty `messages` are answered.
- Refused with 400 `{"error": {"code": 400, "message", "type": "invalid_request_error"}}`: bad JSON, wrong types, n out
  of range, top_logprobs without logprobs, a schema that is none, image, audio and file parts. A prompt beyond the
  context: 400, type `exceed_context_size_error`, with `n_prompt_tokens` and `n_ctx`, also for streams (before any
  event). Prompt and answer together beyond it: finish_reason `length`. Wrong key: 401 `authentication_error`.
- Extra fields: `timings` in the answer and in a stream's last chunk, `usage.prompt_tokens_details.cached_tokens`,
  `id` in logprobs. Absent: `refusal`, a null `logprobs`. The first delta is `{"role": "assistant", "content": null}`.
- Streams: `data: {…}\\n\\n` for each token, the finish chunk with an empty delta, with include_usage one chunk with
  `choices: []`, then `data: [DONE]`. UTF-8 unescaped; a character of several tokens comes whole, in one event.
- A caller who leaves frees the model at once while it writes, within about half a second while it reads the prompt.
"""
