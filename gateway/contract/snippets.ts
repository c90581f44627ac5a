import type { AgentRequestBody } from './agent.ts';

export const SNIPPET_LANGUAGES = ['python', 'javascript', 'curl'] as const;
export type SnippetLanguage = (typeof SNIPPET_LANGUAGES)[number];

export interface SnippetOptions {
  /** The gateway's base address, for instance `http://127.0.0.1:8665`. */
  readonly address: string;
  /** What the comment on setting TOOLGATE_TOKEN shows; never a real token. */
  readonly token?: string;
  readonly body: AgentRequestBody;
}

/**
 * A program that posts `body` to the agent and prints what it answers, streamed or not. It runs as pasted with
 * nothing but Python ≥ 3.8, Node ≥ 20 or curl, and takes the token from the environment variable TOOLGATE_TOKEN.
 */
export function snippet(language: SnippetLanguage, options: SnippetOptions): string {
  const url = `${options.address.replace(/\/+$/, '')}/api/llm/agent/responses`;
  const token = (options.token ?? 'tg_pat_…').replace(/[^\x21-\x7e…]/g, '');
  switch (language) {
    case 'python':
      return python(url, token, options.body);
    case 'javascript':
      return javascript(url, token, options.body);
    case 'curl':
      return curl(url, token, options.body);
  }
}

function python(url: string, token: string, body: AgentRequestBody): string {
  return `# Set the token first: export TOOLGATE_TOKEN=${token}
import json
import os
import sys
import urllib.error
import urllib.request

body = ${pythonLiteral(body)}

request = urllib.request.Request(
    ${JSON.stringify(url)},
    data=json.dumps(body).encode(),
    headers={
        "Authorization": "Bearer " + os.environ["TOOLGATE_TOKEN"],
        "Content-Type": "application/json",
    },
)


def show(chunk):
    if "error" in chunk:
        sys.exit("\\nError: " + chunk["error"]["message"])
    for choice in chunk["choices"]:
        delta = choice["delta"] if "delta" in choice else choice["message"]
        if delta.get("role") == "tool":
            print("\\n[result]", delta["content"], flush=True)
            continue
        print(delta.get("content") or "", end="", flush=True)
        for call in delta.get("tool_calls", []):
            function = call["function"]
            if function.get("name"):
                print("\\n[call]", function["name"], end=" ")
            print(function.get("arguments") or "", end="", flush=True)


try:
    with urllib.request.urlopen(request) as response:
        if "text/event-stream" in response.headers["Content-Type"]:
            for line in response:
                if line.startswith(b"data: ") and line.strip() != b"data: [DONE]":
                    show(json.loads(line[len(b"data: "):]))
        else:
            show(json.load(response))
except urllib.error.HTTPError as error:
    sys.exit("%d %s" % (error.code, error.read().decode()))
print()
`;
}

function javascript(url: string, token: string, body: AgentRequestBody): string {
  return `// Set the token first: export TOOLGATE_TOKEN=${token}
const body = ${JSON.stringify(body, null, 2)};

async function main() {
  const response = await fetch(${JSON.stringify(url)}, {
    method: "POST",
    headers: {
      Authorization: "Bearer " + process.env.TOOLGATE_TOKEN,
      "Content-Type": "application/json",
    },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(response.status + " " + (await response.text()));
  if (!response.headers.get("content-type").includes("text/event-stream")) return show(await response.json());
  let rest = "";
  for await (const text of response.body.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\\n");
    rest = lines.pop();
    for (const line of lines) {
      if (line.startsWith("data: ") && line !== "data: [DONE]") show(JSON.parse(line.slice("data: ".length)));
    }
  }
}

function show(chunk) {
  if (chunk.error) throw new Error(chunk.error.message);
  for (const choice of chunk.choices) {
    const delta = choice.delta ?? choice.message;
    if (delta.role === "tool") {
      process.stdout.write("\\n[result] " + delta.content + "\\n");
      continue;
    }
    process.stdout.write(delta.content ?? "");
    for (const { function: call } of delta.tool_calls ?? []) {
      if (call.name) process.stdout.write("\\n[call] " + call.name + " ");
      process.stdout.write(call.arguments ?? "");
    }
  }
}

main().then(
  () => console.log(),
  (error) => {
    console.error("\\nError: " + error.message);
    process.exitCode = 1;
  },
);
`;
}

function curl(url: string, token: string, body: AgentRequestBody): string {
  return `# Set the token first: export TOOLGATE_TOKEN=${token}
curl -sS -N --fail-with-body ${shellQuote(url)} \\
  -H "Authorization: Bearer $TOOLGATE_TOKEN" \\
  -H 'Content-Type: application/json' \\
  --data-binary ${shellQuote(JSON.stringify(body, null, 2))}
`;
}

/** A POSIX shell word; `!` has no meaning inside. */
function shellQuote(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

/** JSON's strings and numbers are Python's; its words are not. */
function pythonLiteral(value: unknown, indent = ''): string {
  if (value === null || value === undefined) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  const inner = `${indent}    `;
  if (Array.isArray(value)) {
    const items = value.map((item) => `${inner}${pythonLiteral(item, inner)},\n`);
    return items.length === 0 ? '[]' : `[\n${items.join('')}${indent}]`;
  }
  if (typeof value === 'object') {
    const items = Object.entries(value)
      .filter(([, item]) => item !== undefined)
      .map(([key, item]) => `${inner}${JSON.stringify(key)}: ${pythonLiteral(item, inner)},\n`);
    return items.length === 0 ? '{}' : `{\n${items.join('')}${indent}}`;
  }
  return JSON.stringify(value);
}
