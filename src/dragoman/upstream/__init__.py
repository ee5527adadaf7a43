"""The only outward sockets: a one-method transport, its connection pools and its deadlines.

Import from the modules: `base` (the seam), `errors`, `lean` (the default), `aiohttp_transport` (forward
proxies).
"""
