"""All features, in the order of the pages."""

from __future__ import annotations

from conformance.answers import ANSWERS, BUILT_IN, COUNTING, ERRORS
from conformance.asked import CONVERSATION, FORMS, TOOLS
from conformance.settings import REASON, REST, SAMPLING, SIGNATURES
from conformance.table import Feature

GROUPS: list[tuple[str, str, list[Feature]]] = [
    ("Conversation", "对话", CONVERSATION),
    ("Functions", "函数", TOOLS),
    ("Form of the answer", "回答的形式", FORMS),
    ("Sampling and limits", "采样与上限", SAMPLING),
    ("Reasoning", "思考", [*REASON, *SIGNATURES]),
    ("Vendors' tools", "服务商的工具", BUILT_IN),
    ("Answers", "回答", ANSWERS),
    ("Errors", "错误", ERRORS),
    ("The rest", "其他", [*REST, COUNTING]),
]
FEATURES = [feature for _, _, features in GROUPS for feature in features]
