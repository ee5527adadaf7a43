"""The processes and their edges: a supervisor, its data workers, and the ASGI face of the pipeline."""
