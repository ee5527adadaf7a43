"""Media as base64, data: URLs and vendors' URIs: what can be told of them without fetching anything."""

from base64 import b64encode, urlsafe_b64decode
from urllib.parse import unquote_to_bytes, urlsplit

# What a file's first bytes say it is.
_SNIFF = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"BM", "image/bmp"),
    (b"%PDF-", "application/pdf"),
    (b"ID3", "audio/mpeg"),
    (b"OggS", "audio/ogg"),
    (b"fLaC", "audio/flac"),
)
_FORMS = {b"WEBP": "image/webp", b"WAVE": "audio/wav", b"AVI ": "video/x-msvideo"}
_EXTENSIONS = {
    "mp4": "video/mp4",
    "m4v": "video/mp4",
    "mov": "video/quicktime",
    "webm": "video/webm",
    "mkv": "video/x-matroska",
    "avi": "video/x-msvideo",
    "mpeg": "video/mpeg",
    "mpg": "video/mpeg",
    "flv": "video/x-flv",
    "wmv": "video/x-ms-wmv",
    "3gp": "video/3gpp",
    "mp3": "audio/mpeg",
    "wav": "audio/wav",
    "ogg": "audio/ogg",
    "flac": "audio/flac",
    "m4a": "audio/mp4",
    "pdf": "application/pdf",
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "webp": "image/webp",
    "heic": "image/heic",
    "bmp": "image/bmp",
}
_YOUTUBE = frozenset({"youtube.com", "www.youtube.com", "m.youtube.com", "youtu.be"})


def split_data_url(url: str) -> tuple[str, str]:
    """The type (lower case, `""` where absent) and the base64 data of a `data:` URL; percent-encoded data is re-encoded."""
    head, _, data = url[5:].partition(",")
    mime, *parameters = head.split(";")
    if not any(parameter.strip().lower() == "base64" for parameter in parameters):
        data = b64encode(unquote_to_bytes(data)).decode()
    return mime.strip().lower(), data


def sniff(data: str) -> str:
    """The type that base64 `data` begins like; `""` where it can't be told."""
    try:
        head = urlsafe_b64decode(data[:32].rstrip("=").replace("+", "-").replace("/", "_") + "==")
    except ValueError:
        return ""
    for magic, mime in _SNIFF:
        if head.startswith(magic):
            return mime
    if head.startswith(b"RIFF"):
        return _FORMS.get(head[8:12], "")
    return "video/mp4" if head[4:8] == b"ftyp" else ""


def named_type(url: str) -> str:
    """The type that a URL's extension names, `""` where it names none; a hint only, never sent as the type."""
    try:
        path = urlsplit(url).path
    except ValueError:
        return ""
    return _EXTENSIONS.get(path.rpartition("/")[2].rpartition(".")[2].lower(), "")


def is_googles(url: str) -> bool:
    """Whether only Google can read this URI: Cloud Storage, its files API, YouTube."""
    if url.startswith("gs://"):
        return True
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    host = (parts.hostname or "").lower()
    return host in _YOUTUBE or (host == "generativelanguage.googleapis.com" and "/files/" in parts.path)
