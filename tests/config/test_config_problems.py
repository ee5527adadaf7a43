"""Every kind of fault, word for word: place, path, what is wrong, how to mend it."""

from __future__ import annotations

from pathlib import Path

import pytest

from dragoman.config import ConfigError, load

ENV = {"KEY": "sk-very-secret", "EMPTY": "", "PORT": "eighty", "BROKEN": "line\nbreak"}

# name, file, problems without the file's name
CASES = [
    (
        "unknown key with a guess",
        'providers:\n  google:\n    protocols: [gemini]\n    api_kye: "${KEY}"\n',
        ["4:5 providers.google.api_kye: unknown key. Did you mean api_key?"],
    ),
    (
        "unknown key without a guess",
        "server:\n  xyzzy: 1\n",
        [
            "2:3 server.xyzzy: unknown key. Known here: host, port, workers, tls, drain_timeout, max_body, body_timeout, "
            "max_in_flight_requests, max_in_flight_bytes."
        ],
    ),
    ("case and dashes", "server:\n  Max-Body: 1MB\n", ["2:3 server.Max-Body: unknown key. Did you mean max_body?"]),
    (
        "variable not set",
        'keys: [{name: ci, key: "${CI_KEY}"}]\n',
        ["1:24 keys[0].key: variable CI_KEY is not set. Set it, or write ${CI_KEY:-default}."],
    ),
    (
        "variable empty",
        'keys: [{name: ci, key: "${EMPTY}"}]\n',
        ["1:24 keys[0].key: is empty. Set the variable or file that it is taken from."],
    ),
    (
        "variable of the wrong kind",
        "server: \n  port: ${PORT}\n",
        ["2:9 server.port: is not a whole number. Write digits only."],
    ),
    (
        "secret with a line break",
        "keys: [{name: ci, key: '${BROKEN}'}]\n",
        ["1:24 keys[0].key: holds a line break, a control character or a space at an end. Remove it."],
    ),
    (
        "file not there",
        'keys: [{name: ci, key: "${file:none.txt}"}]\n',
        ["1:24 keys[0].key: file none.txt does not exist. Create it, or correct the path."],
    ),
    (
        "reference not closed",
        'data: "x${KEY"\n',
        ["1:7 data: has ${ without a closing brace. Close it with }, or write $${ for the characters."],
    ),
    (
        "reference not understood",
        'data: "${KEY-x}"\n',
        [
            "1:7 data: has a reference to KEY that is not understood. "
            "Write ${NAME}, ${NAME:-default} or ${file:PATH}."
        ],
    ),
    (
        "reference without quotes in braces",
        "keys: [{name: ci, key: ${KEY}}]\n",
        ['1:25: a reference without quotes stands inside { } or [ ]. Quote it, as in "${NAME}".'],
    ),
    (
        "wrong types",
        "server: 8000\nproviders: []\nkeys: {}\n",
        [
            "1:9 server: is a number where a mapping is wanted. Write key: value entries below it.",
            "2:1 providers: is a list where a mapping is wanted. Write key: value entries below it.",
            "3:1 keys: is a mapping where a list is wanted. Put it in brackets: [ ].",
        ],
    ),
    (
        "number where text is wanted",
        "providers: {a: {protocols: [gemini], api_key: 123, models: [4, true]}}\n",
        [
            "1:47 providers.a.api_key: is a number where text is wanted. Put it in quotes.",
            "1:61 providers.a.models[0]: is a number where text is wanted. Put it in quotes.",
            "1:64 providers.a.models[1]: is true or false where text is wanted. Put it in quotes.",
        ],
    ),
    (
        "bounds",
        "server: {port: 65536, workers: 0, max_body: 0, drain_timeout: 0}\nlocal: {threads: 0}\n",
        [
            "1:16 server.port: must be at most 65535. Lower it.",
            "1:32 server.workers: must be at least 1. Raise it.",
            "1:45 server.max_body: is out of range. Write a size from 1 byte to 1024GiB.",
            "1:63 server.drain_timeout: is out of range. Write a duration longer than nothing and up to 366d.",
            "2:18 local.threads: must be at least 1. Raise it.",
        ],
    ),
    (
        "units",
        "server: {max_body: 32M, drain_timeout: 5 parsecs}\n",
        [
            "1:20 server.max_body: is not a size. Write a number of bytes, or one such as 512KiB, 32MiB or 1GB.",
            "1:40 server.drain_timeout: is not a duration. "
            "Write a number of seconds, or one such as 30s, 5m, 2h or 1d.",
        ],
    ),
    (
        "choices",
        "log: {format: jsonn, level: loud}\n",
        [
            "1:15 log.format: is not one of auto, json, text. Did you mean json?",
            "1:29 log.level: is not one of debug, info, warning, error. Choose one of them.",
        ],
    ),
    (
        "no as text",
        "data: no\n",
        ["1:7 data: is false in YAML 1.1 and text in YAML 1.2. Write false, or put it in quotes if text is meant."],
    ),
    (
        "octal, underscores, sixties, hexadecimal",
        "server:\n  port: 0100\n  workers: 1_0\n  drain_timeout: 1:30\n  max_body: 0xff\n",
        [
            "2:9 server.port: begins with a zero, which YAML 1.1 takes for octal. "
            "Remove the zero, or put it in quotes if text is meant.",
            "3:12 server.workers: has underscores, which YAML 1.1 takes for a number and YAML 1.2 for text. "
            "Remove them, or put it in quotes if text is meant.",
            "4:18 server.drain_timeout: is a number to base sixty in YAML 1.1 and text in YAML 1.2. "
            "Write a unit, such as 90s, or put it in quotes if text is meant.",
            "5:13 server.max_body: is a number in another base than ten. "
            "Write it in decimal, or put it in quotes if text is meant.",
        ],
    ),
    (
        "written twice",
        "data: a\nserver: {port: 1, port: 2}\ndata: b\n",
        [
            "2:19 server.port: is written twice, first on line 2. Keep one of them.",
            "3:1 data: is written twice, first on line 1. Keep one of them.",
        ],
    ),
    (
        "missing",
        "providers: {a: }\nmodels: {m: {price: {input: 1}}}\nkeys: [{}]\n",
        [
            "1:13 providers.a.protocols: is missing. Add protocols.",
            "2:10 models.m.targets: is missing. Add targets.",
            "2:14 models.m.price.output: is missing. Add output.",
            "3:8 keys[0].name: is missing. Add name.",
            "3:8 keys[0].key: is missing. Add key.",
        ],
    ),
    (
        "prices",
        "models:\n"
        "  a: {targets: [{provider: local, model: smollm2-135m}], "
        "price: {input: -1, output: free, cached: 1}, context_window: 0}\n"
        "  b: {targets: [{provider: local, model: smollm2-135m}],\n"
        "      price: {input: 1, output: 2, cached_input: 0.1, steps: [{above: 200000, input: 2, output: 3}]}}\n"
        "  c: {targets: [{provider: local, model: smollm2-135m}],\n"
        "      price: {input: 1, output: 2, steps: [{above: 9, input: 2, output: 3}, {above: 9, input: 3, output: 4}]}}\n",
        [
            "2:73 models.a.price.input: is out of range. Write an amount of US dollars, zero or more.",
            '2:85 models.a.price.output: is not an amount of money. Write US dollars as text, such as "2.50".',
            "2:91 models.a.price.cached: unknown key. Did you mean cached_input?",
            "2:119 models.a.context_window: must be at least 1. Raise it.",
            "4:7 models.b.price: has cached_input in one place and not in the step above 200000. "
            "Give each step the same prices that stand before it.",
            "6:7 models.c.price: has two steps above the same number of tokens. Remove one.",
        ],
    ),
    (
        "dangling provider",
        "providers: {google: {protocols: [gemini]}}\n"
        "models:\n  fast: {targets: [{provider: gogle, model: g}]}\n"
        "  slow: {targets: [{provider: zzz, model: g}]}\n",
        [
            "3:31 models.fast.targets[0].provider: there is no provider of this name. Did you mean google?",
            "4:31 models.slow.targets[0].provider: there is no provider of this name. There are: google.",
        ],
    ),
    (
        "aliases",
        "models:\n"
        "  a: {targets: [{provider: local, model: smollm2-135m}], aliases: [a, b, x]}\n"
        "  b: {targets: [{provider: local, model: smollm2-135m}], aliases: [x]}\n",
        [
            "2:68 models.a.aliases[0]: is the model's own name. Remove it.",
            "2:71 models.a.aliases[1]: is the name of another model. Choose another alias.",
            "3:68 models.b.aliases[0]: is already an alias of another model. Remove one of the two.",
        ],
    ),
    (
        "models that are not built in",
        "providers:\n"
        "  mine: {protocols: [local], models: [other-model, 'smollm2-*', smollm2-135m]}\n"
        "models:\n"
        "  a: {targets: [{provider: mine, model: gemma}]}\n",
        [
            "2:39 providers.mine.models[0]: is no built-in model. There is: smollm2-135m.",
            "4:41 models.a.targets[0].model: is no built-in model. There is: smollm2-135m.",
        ],
    ),
    (
        "keys called as the gateway's own",
        'keys: [{name: root, key: "${KEY}"}, {name: trial, key: aaaaaaaaaaaaaaaa}]\n',
        [
            "1:15 keys[0].name: is what one of the gateway's own keys is called. Choose another name.",
            "1:44 keys[1].name: is what one of the gateway's own keys is called. Choose another name.",
        ],
    ),
    (
        "keys taken twice",
        'keys: [{name: a, key: "${KEY}"}, {name: a, key: sk-very-secret}]\n',
        [
            "1:41 keys[1].name: another key has this name. Each must be its own.",
            "1:49 keys[1].key: another key has the same value. Each must be its own.",
        ],
    ),
    (
        "providers that contradict themselves",
        "providers:\n"
        "  a: {protocols: [gemini, gemini]}\n"
        "  b: {protocols: [gemini], api_key: x, api_keys: [y]}\n"
        "  c: {protocols: [local, gemini]}\n"
        "  d: {protocols: [local], api_key: x}\n"
        "  e: {protocols: [gemini, anthropic]}\n"
        "  f: {protocols: []}\n"
        "  g: {protocols: [local], max_concurrent_requests: 2}\n",
        [
            "2:3 providers.a: names a protocol twice. Remove one.",
            "3:3 providers.b: has both api_key and api_keys. Keep one of them.",
            "4:3 providers.c: mixes local with other protocols. Make two providers of it.",
            "5:3 providers.d: gives an address or a key to the built-in model. Remove base_url, api_key, api_keys.",
            "6:3 providers.e: speaks protocols of several vendors and has no address. Add base_url.",
            "7:7 providers.f.protocols: must not be empty. Name at least one.",
            "8:3 providers.g: bounds the built-in model. Set local.parallel and local.queue instead.",
        ],
    ),
    (
        "addresses",
        "database: mysql://u:sk-very-secret@h/d\nshared: http://x\n"
        "providers:\n  a: {protocols: [gemini], base_url: ftp://x}\n"
        "  b: {protocols: [gemini], base_url: 'https://u:sk-very-secret@h'}\n"
        "  c: {protocols: [gemini], base_url: 'http://h:99999'}\n",
        [
            "1:11 database: is not a database. Write sqlite, or postgresql://user:password@host/name.",
            "2:9 shared: is not a shared store. "
            "Write valkey://host:6379/0 or redis://host:6379/0, or leave it out.",
            "4:38 providers.a.base_url: is not an http or https address. "
            "Write one such as https://api.example.com/v1.",
            "5:38 providers.b.base_url: must not hold a user or password. Use api_key, or headers, for credentials.",
            "6:38 providers.c.base_url: is not an address. Write one such as https://api.example.com/v1.",
        ],
    ),
    (
        "names",
        "providers:\n  a/b: {protocols: [gemini], headers: {Host: x, 'a b': y}}\n"
        "models:\n  models/x: {targets: [{provider: a/b, model: m}]}\n",
        [
            '2:3 providers["a/b"]: is not a usable name. '
            "Use letters, digits, dots, dashes and underscores, 100 at most.",
            '2:40 providers["a/b"].headers.Host: is a header that the connection itself sets. Leave it out.',
            '2:49 providers["a/b"].headers["a b"]: is not a header name. Use letters, digits and dashes.',
            '4:3 models["models/x"]: must not begin with models/. '
            "Leave that part out: callers may write it anyway.",
            '4:35 models["models/x"].targets[0].provider: is not a usable name. '
            "Use letters, digits, dots, dashes and underscores, 100 at most.",
        ],
    ),
    (
        "money",
        "keys: [{name: a, key: b, budget: {usd: -1}, expires_at: tomorrow}]\n",
        [
            "1:40 keys[0].budget.usd: is out of range. Write an amount of US dollars, zero or more.",
            '1:57 keys[0].expires_at: is not a date and time. Write one such as "2027-01-31T00:00:00Z".',
        ],
    ),
    (
        "certificate not there",
        "server: {tls: {certificate: none.pem, private_key: none.key}}\n",
        [
            "1:29 server.tls.certificate: there is no such file. Create it, or correct the path.",
            "1:52 server.tls.private_key: there is no such file. Create it, or correct the path.",
        ],
    ),
    ("a list at the top", "- a\n", ["1:1: is not a mapping of settings. Write lines such as data: ./data."]),
    ("text at the top", "hello\n", ["1:1: is not a mapping of settings. Write lines such as data: ./data."]),
    ("tab", "server:\n\tport: 1\n", ["2:1: a tab stands where spaces are wanted. Indent with spaces."]),
    ("quote", 'data: "abc\n', ["2:1: a quote is not closed. Close it, or check the backslashes inside it."]),
    ("brackets", "keys: [a\n", ["2:1: a list in [ ] is not closed, or lacks a comma. Check commas, quotes and brackets."]),
    (
        "colon",
        "data: a: b\n",
        ['1:8: a colon stands where no value can begin. Check the indentation, or quote text that holds ": ".'],
    ),
    ("two documents", "data: a\n---\ndata: b\n", ["2:1: a second document begins here. Keep one and remove the --- line."]),
    (
        "secret that looks like an alias",
        "keys: [{name: a, key: *sk-very-secret }]\n",
        ["1:23: an alias leads to no anchor. Define it above with &, or quote text that begins with *."],
    ),
    ("alias to itself", "models: &a\n  x: *a\n", ["2:6: an alias leads to what it stands in. Remove it."]),
    (
        "tag",
        "keys: [{name: a, key: !sk-very-secret x}]\n",
        ["1:23 keys[0].key: has a tag that is not understood. Remove it, or quote text that begins with !."],
    ),
    (
        "key that is not text",
        "server: {[a]: 1}\n",
        ['1:10 server: has a key that is not text. Write key: value; quote references, as in "${NAME}".'],
    ),
    ("merge of nothing", "server:\n  <<: 3\n", ["2:7 server: << merges what is not a mapping. Give it an alias to a mapping."]),
]  # fmt: skip


def problems_in(tmp_path: Path, text: str | bytes) -> list[str]:
    path = tmp_path / "dragoman.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigError) as caught:
        load(path, ENV)
    for problem in caught.value.problems:
        assert "sk-very-secret" not in f"{problem} {problem.excerpt} {problem.as_dict()}"
    return [str(problem).removeprefix(f"{path}:") for problem in caught.value.problems]


@pytest.mark.parametrize(("text", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_message(tmp_path: Path, text: str, expected: list[str]) -> None:
    assert problems_in(tmp_path, text) == expected


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"data: a\ndata: \xff\n", "2:7: is not UTF-8 text. Save the file as UTF-8 text."),
        ("data: a".encode("utf-16"), "1:1: is not UTF-8 text. Save the file as UTF-8 text."),
        (b"data: a\n\n b\x00\n", "3:3: holds the control character U+0000. Save the file as UTF-8 text."),
        (b"[" * 100_000, "1:41: is nested more than 40 levels deep. Flatten it."),
        (b"{a: " * 100_000, "1:161: is nested more than 40 levels deep. Flatten it."),
        (b"- " * 100_000, "1:81: is nested more than 40 levels deep. Flatten it."),
    ],
)
def test_hostile_bytes(tmp_path: Path, data: bytes, expected: str) -> None:
    assert problems_in(tmp_path, data) == [expected]


def test_bomb_of_aliases(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    found = problems_in(tmp_path, "\n".join(lines))
    assert "1:1: grows to more than 200000 values through its aliases. Use fewer aliases." in found


def test_bomb_of_merges(tmp_path: Path) -> None:
    lines = ["a0: &a0 {x: 1}"]
    lines += [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 10)}]}}" for n in range(1, 12)]
    found = problems_in(tmp_path, "\n".join(lines))
    assert "1:1: grows to more than 200000 values through its aliases. Use fewer aliases." in found


def test_too_large(tmp_path: Path) -> None:
    path = tmp_path / "dragoman.yaml"
    path.write_bytes(b"#" * (4 * 2**20 + 1))
    with pytest.raises(ConfigError, match=r"is larger than 4 MiB\. Shorten it\.$"):
        load(path, {})


def test_no_such_file(tmp_path: Path) -> None:
    path = tmp_path / "none.yaml"
    with pytest.raises(ConfigError) as caught:
        load(path, {})
    assert str(caught.value) == (f"{path}: there is no such file. Check the name, or write one with: dragoman init")


def test_a_folder(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r": is a folder\. Name the file in it\.$"):
        load(tmp_path, {})


def test_bad_key_in_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as caught:
        load(None, {"OPENAI_API_KEY": "sk-very\nsecret"})
    assert str(caught.value) == (
        "environment OPENAI_API_KEY providers.openai.api_key: "
        "holds a line break, a control character or a space at an end. Remove it."
    )


def test_excerpts_cover_secrets(tmp_path: Path) -> None:
    path = tmp_path / "dragoman.yaml"
    path.write_text(
        'keys: [{nam: ci, key: "sk-1234567890"}]  # sk-1234567890\n'
        "api_key: sk-1234567890\n"
        "server: {port: 99999, host: localhost}\n"
    )
    with pytest.raises(ConfigError) as caught:
        load(path, {})
    assert [problem.excerpt for problem in caught.value.problems][-2:] == [
        "api_key: •••••••••••••",
        "server: {port: 99999, host: localhost}",
    ]
    assert "sk-1" not in "".join(problem.excerpt for problem in caught.value.problems)


def test_excerpts_cover_secrets_where_the_file_is_not_yaml(tmp_path: Path) -> None:
    path = tmp_path / "dragoman.yaml"
    path.write_text("keys: [{name: ci, key: sk-1234567890, 'oops}]\n  port: ]\n")
    with pytest.raises(ConfigError) as caught:
        load(path, {})
    assert "sk-1234567890" not in caught.value.problems[0].excerpt
