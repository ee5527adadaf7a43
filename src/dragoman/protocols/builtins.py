"""Names under which gateways' documentation offers a vendor's own tools to callers of any protocol, each with its neutral one."""

GATEWAYS_NAMES = {
    "web_search": "web_search",
    "google_search": "web_search",
    "googleSearch": "web_search",
    "codeExecution": "code_execution",
    "code_execution": "code_execution",
    "code_interpreter": "code_execution",
    "urlContext": "url_context",
    "url_context": "url_context",
    "web_fetch": "url_context",
}
