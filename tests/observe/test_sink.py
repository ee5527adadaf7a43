import fcntl
import os
import threading

import pytest

from dragoman.observe.sink import Sink


def notice(count: int) -> bytes:
    return b"dropped %d\n" % count


def whole(batch: list[bytes]) -> list[bytes]:
    return batch


class Pipe:
    """A real pipe that holds 4 KiB, and nobody reads until told."""

    def __init__(self) -> None:
        self.reader, self.writer = os.pipe()
        fcntl.fcntl(self.writer, fcntl.F_SETPIPE_SZ, 4096)
        self._read = bytearray()
        self._thread: threading.Thread | None = None

    def read(self) -> None:
        """Read from here on, to the end."""
        self._thread = threading.Thread(target=self._drain)
        self._thread.start()

    def _drain(self) -> None:
        while data := os.read(self.reader, 65536):
            self._read += data

    def lines(self) -> list[bytes]:
        """Close the writing end; all that came."""
        os.close(self.writer)
        if self._thread is None:
            self.read()
        self._thread.join(10)
        os.close(self.reader)
        return bytes(self._read).splitlines()


@pytest.fixture
def pipe():
    return Pipe()


def test_lines_come_whole_and_in_order(pipe):
    sink = Sink(pipe.writer, whole, notice, gather=0)
    pipe.read()
    sent = [b"line %d %s\n" % (number, b"x" * (number % 700)) for number in range(2000)]
    for line in sent:
        sink.put(line)
    sink.close()
    assert b"".join(line + b"\n" for line in pipe.lines()) == b"".join(sent)
    assert sink.dropped == 0


def test_a_reader_who_stalls_costs_lines_but_no_time_and_the_count_is_told(pipe):
    sink = Sink(pipe.writer, whole, notice, bound=100, gather=0)
    for number in range(5000):
        sink.put(b"line %d, some forty bytes of it in all..\n" % number)
    # The pipe is full, the buffer is full, and we are here.
    assert sink.dropped > 4000
    pipe.read()
    sink.close(10)
    lines = pipe.lines()
    told = sum(int(line.split()[1]) for line in lines if line.startswith(b"dropped"))
    came = [int(line.split()[1].rstrip(b",")) for line in lines if line.startswith(b"line")]
    assert told == sink.dropped
    assert len(came) + told == 5000
    assert came == sorted(came)


@pytest.mark.parametrize("blocking", [True, False])
def test_closing_does_not_wait_for_a_reader_who_never_comes(pipe, blocking):
    os.set_blocking(pipe.writer, blocking)
    sink = Sink(pipe.writer, whole, notice, bound=1000, gather=0)
    for _ in range(500):
        sink.put(b"x" * 99 + b"\n")
    closing = threading.Thread(target=sink.close, args=(0.05,))
    closing.start()
    closing.join(10)
    assert not closing.is_alive()
    # Now the reader comes after all: the thread that was stuck writes nothing more, and ends.
    pipe.read()
    sink._thread.join(10)
    assert not sink._thread.is_alive()
    assert len(pipe.lines()) < 100


def test_a_descriptor_that_does_not_block_is_waited_for(pipe):
    os.set_blocking(pipe.writer, False)
    sink = Sink(pipe.writer, whole, notice, gather=0)
    sent = [b"%d " % number + b"y" * 300 for number in range(200)]
    for line in sent:
        sink.put(line + b"\n")
    pipe.read()
    sink.close(10)
    assert pipe.lines() == sent


def test_a_broken_pipe_loses_lines_and_nothing_else(pipe):
    os.close(pipe.reader)
    sink = Sink(pipe.writer, whole, notice, gather=0)
    for _ in range(10):
        sink.put(b"gone\n")
    sink.close(10)
    assert sink.dropped == 10
    os.close(pipe.writer)


def test_a_line_that_cannot_be_spelled_takes_no_other_along(pipe):
    def picky(batch: list[bytes]) -> list[bytes]:
        if b"bad\n" in batch:
            raise ValueError
        return batch

    sink = Sink(pipe.writer, picky, notice, gather=0)
    for line in (b"one\n", b"bad\n", b"two\n"):
        sink.put(line)
    pipe.read()
    sink.close(10)
    assert [line for line in pipe.lines() if not line.startswith(b"dropped")] == [b"one", b"two"]
    assert sink.dropped == 1


def test_two_processes_on_one_pipe_tear_no_lines(pipe):
    # Two sinks stand for two workers: what makes it safe is that no write exceeds the pipe's atomic size.
    sinks = [Sink(os.dup(pipe.writer), whole, notice, gather=0) for _ in range(2)]
    pipe.read()
    for number in range(500):
        for name, sink in zip(b"ab", sinks, strict=True):
            sink.put(bytes([name]) * (100 + number) + b"\n")
    for sink in sinks:
        sink.close(10)
        os.close(sink._fd)
    lines = pipe.lines()
    assert len(lines) == 1000
    assert all(len(set(line)) == 1 for line in lines)


def test_nothing_is_taken_after_the_end(pipe):
    sink = Sink(pipe.writer, whole, notice, gather=0)
    sink.put(b"one\n")
    sink.close()
    sink.put(b"two\n")
    sink.close()
    assert pipe.lines() == [b"one"]
    assert sink.dropped == 1
