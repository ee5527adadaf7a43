"""A network from which vendors are reached through a forward proxy only."""

from __future__ import annotations

from pathlib import Path

from e2e import canned
from e2e.gateway import ONCE, provider, running
from e2e.vendor import raw, serving

CHAT = "/v1/chat/completions"
BODY = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}
# No name server knows it, so nobody but a proxy can lead there.
NOWHERE = "vendor.invalid"


def test_aiohttp_goes_through_the_proxy(tmp_path: Path) -> None:
    config = "providers:\n" + provider("openai", "openai-chat", f"http://{NOWHERE}/v1", "gpt-*", transport="aiohttp")
    (tmp_path / ".netrc").write_text("default login somebody password else\n")
    with (
        serving(canned.openai) as proxy,
        running(
            tmp_path,
            config=config,
            environment={
                "HTTP_PROXY": proxy.base_url.replace("//", "//user:pass@"),
                "HOME": str(tmp_path),
                "NETRC": str(tmp_path / ".netrc"),
            },
        ) as gateway,
    ):
        status, _, answer = gateway.post(CHAT, BODY)
        assert status == 200, answer
        assert proxy.last.target == f"http://{NOWHERE}/v1/chat/completions"
        assert proxy.last.header("authorization") == "Bearer vendor-secret-of-openai"
        assert proxy.last.header("proxy-authorization") == "Basic dXNlcjpwYXNz"


def test_no_proxy_is_kept(tmp_path: Path) -> None:
    with serving(canned.openai) as vendor, serving(canned.openai) as proxy:
        config = "providers:\n" + provider(
            "openai", "openai-chat", f"{vendor.base_url}/v1", "gpt-*", transport="aiohttp"
        )
        environment = {"HTTP_PROXY": proxy.base_url, "NO_PROXY": "127.0.0.1"}
        with running(tmp_path, config=config, environment=environment) as gateway:
            assert gateway.post(CHAT, BODY)[0] == 200
        assert vendor.seen and not proxy.accepted


def test_a_tunnel_is_asked_for_where_the_vendor_speaks_tls(tmp_path: Path) -> None:
    config = (
        ONCE + "providers:\n" + provider("openai", "openai-chat", f"https://{NOWHERE}/v1", "gpt-*", transport="aiohttp")
    )
    with (
        serving(raw(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n")) as proxy,
        running(tmp_path, config=config, environment={"HTTPS_PROXY": proxy.base_url}) as gateway,
    ):
        status, _, answer = gateway.post(CHAT, BODY)
        assert status == 502
        assert proxy.base_url not in answer.decode() and NOWHERE not in answer.decode()
        (asked,) = proxy.asked
        assert (asked.method, asked.target) == ("CONNECT", f"{NOWHERE}:443")
        assert "vendor-secret" not in str(asked.headers)


def test_the_lean_transport_goes_through_none(tmp_path: Path) -> None:
    with serving(canned.openai) as vendor, serving(canned.openai) as proxy:
        config = "providers:\n" + provider("openai", "openai-chat", f"{vendor.base_url}/v1", "gpt-*")
        with running(tmp_path, config=config, environment={"HTTP_PROXY": proxy.base_url}) as gateway:
            assert gateway.post(CHAT, BODY)[0] == 200
        assert vendor.seen and not proxy.accepted
