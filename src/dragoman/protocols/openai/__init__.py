"""What OpenAI's protocols, Chat Completions and Responses, have in common: the envelope of errors, media in URLs, checked fields,
the list of models, and the splicing of a model's name into a body that is passed on. It knows neither of them."""
