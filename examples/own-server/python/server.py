"""An internal service as MCP tools over stdio, with Python's standard library alone: a glossary.

    python3 examples/own-server/python/server.py

One JSON-RPC message a line, as MCP's stdio transport has it. The log goes to standard error.
"""

import json
import sys

GLOSSARY = {
    "blast radius": "What is hit when a change goes wrong.",
    "runbook": "The steps that deal with a known incident.",
    "toil": "Work that grows with the service and teaches nothing.",
}

TOOLS = [
    {
        "name": "explain_term",
        "description": "Explains a term of ours",
        "inputSchema": {
            "type": "object",
            "properties": {"term": {"type": "string", "description": "Such as runbook"}},
            "required": ["term"],
            "additionalProperties": False,
        },
        "annotations": {"readOnlyHint": True},
    }
]


def call(params):
    term = str(params.get("arguments", {}).get("term", "")).lower()
    known = GLOSSARY.get(term)
    text = known or f"There is no {term!r}; there is: {', '.join(sorted(GLOSSARY))}"
    return {"content": [{"type": "text", "text": text}], "isError": known is None}


def initialize(params):
    return {
        "protocolVersion": params.get("protocolVersion", "2025-11-25"),
        "capabilities": {"tools": {}},
        "serverInfo": {"name": "glossary", "version": "1.0.0"},
    }


METHODS = {
    "initialize": initialize,
    "ping": lambda params: {},
    "tools/list": lambda params: {"tools": TOOLS},
    "tools/call": call,
}


def answer(request):
    method = METHODS.get(request.get("method"))
    if method is None:
        return {"error": {"code": -32601, "message": f"there is no method {request.get('method')}"}}
    return {"result": method(request.get("params") or {})}


for line in sys.stdin:
    try:
        message = json.loads(line)
    except ValueError:
        continue
    if isinstance(message, dict) and "id" in message and "method" in message:
        print(json.dumps({"jsonrpc": "2.0", "id": message["id"], **answer(message)}), flush=True)
