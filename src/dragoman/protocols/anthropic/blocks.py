"""The content blocks of a stream: one is open at a time, and their indexes are dense, as clients append to the block
they saw begin. Everything around a delta is the same for the whole block, so it is encoded once."""

from typing import Any

import msgspec

from dragoman.ir import Signature
from dragoman.protocols.anthropic import proofs
from dragoman.wire.json import NotJson, decode, encode

Json = dict[str, Any]
END = b"}}\n\n"
encode_text = msgspec.json.Encoder().encode
# What a block begins with, and the type and member of its deltas.
_TEXT: Json = {"type": "text", "text": ""}
_THINKING: Json = {"type": "thinking", "thinking": "", "signature": ""}
_DELTAS = {
    "text": b'"text_delta","text"',
    "thinking": b'"thinking_delta","thinking"',
    "tool_use": b'"input_json_delta","partial_json"',
}


class Blocks:
    """`kind` is that of the open block (text, thinking, tool_use), `""` where none is open; `before` goes before each of its
    deltas; `pieces` are the arguments of the open call so far; `proof` is the open thought's."""

    __slots__ = ("before", "index", "kind", "pieces", "proof")

    def __init__(self) -> None:
        self.index = -1
        self.kind = ""
        self.before = b""
        self.pieces: list[str] = []
        self.proof: Signature | None = None

    def text(self, out: list[bytes]) -> None:
        self._open("text", _TEXT, out)

    def thinking(self, out: list[bytes]) -> None:
        self._open("thinking", _THINKING, out)

    def call(self, block: Json, out: list[bytes]) -> None:
        self.pieces = []
        self._open("tool_use", {**block, "input": {}}, out)

    def delta(self, words: str, out: list[bytes]) -> None:
        out += (self.before, encode_text(words), END)

    def arguments(self, piece: str, out: list[bytes]) -> None:
        self.pieces.append(piece)
        self.delta(piece, out)

    def citation(self, citation: Json, out: list[bytes]) -> None:
        self._beside(b'{"type":"citations_delta","citation":%b}' % encode(citation), out)

    def whole(self, block: Json, out: list[bytes]) -> None:
        """A block that comes at once. What a vendor's tool was asked comes as a delta, as the clients expect it."""
        if block.get("type") == "server_tool_use":
            self.call(block, out)
            self.arguments(encode(block["input"]).decode(), out)
        else:
            self._open("", block, out)
            self.kind = "whole"
        self.close(out)

    def close(self, out: list[bytes]) -> None:
        """Ends the open block, if there is any."""
        if not self.kind:
            return
        if self.kind == "thinking":
            proof = encode(proofs.write_proof(self.proof))
            self._beside(b'{"type":"signature_delta","signature":%b}' % proof, out)
            self.proof = None
        elif self.kind == "tool_use" and not any(self.pieces):
            self.delta("", out)  # a call without arguments is told so
        self.kind = ""
        out.append(b'event: content_block_stop\ndata: {"type":"content_block_stop","index":%d}\n\n' % self.index)

    def is_whole(self) -> bool:
        """Whether the arguments of the open call are an object, so that nothing more can belong to them."""
        if not self.pieces or not self.pieces[-1].endswith("}"):  # asked at each piece, while something waits
            return False
        try:
            return type(decode("".join(self.pieces).encode("utf-8", "surrogatepass"))) is dict
        except NotJson:
            return False

    def _open(self, kind: str, block: Json, out: list[bytes]) -> None:
        self.index += 1
        self.kind = kind
        if kind:
            self.before = (
                b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":{"type":%b:'
                % (self.index, _DELTAS[kind])
            )
        out.append(
            b'event: content_block_start\ndata: {"type":"content_block_start","index":%d,"content_block":%b}\n\n'
            % (self.index, encode(block))
        )

    def _beside(self, delta: bytes, out: list[bytes]) -> None:
        out.append(
            b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":%b}\n\n'
            % (self.index, delta)
        )
