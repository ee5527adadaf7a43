"""The built-in model: fetch it, run it under llama.cpp in a supervised child process, bound it."""
