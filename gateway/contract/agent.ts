import * as z from 'zod';

/**
 * The contract of `POST /api/llm/agent/responses`: an OpenAI chat request with `mcp_servers`, answered by
 * OpenAI `chat.completion.chunk` events.
 */

const textPartSchema = z.looseObject({ type: z.string() });

export const toolCallSchema = z.object({
  id: z.string(),
  type: z.literal('function'),
  function: z.object({ name: z.string(), arguments: z.string() }),
});
export type ToolCall = z.infer<typeof toolCallSchema>;

export const chatMessageSchema = z.discriminatedUnion('role', [
  z.object({ role: z.literal('system'), content: z.union([z.string(), z.array(textPartSchema)]) }),
  z.object({ role: z.literal('developer'), content: z.union([z.string(), z.array(textPartSchema)]) }),
  z.object({
    role: z.literal('user'),
    content: z.union([z.string(), z.array(textPartSchema)]),
    name: z.string().optional(),
  }),
  z.object({
    role: z.literal('assistant'),
    content: z.union([z.string(), z.array(textPartSchema), z.null()]).optional(),
    tool_calls: z.array(toolCallSchema).optional(),
  }),
  z.object({
    role: z.literal('tool'),
    tool_call_id: z.string(),
    content: z.union([z.string(), z.array(textPartSchema)]),
  }),
]);
export type ChatMessage = z.infer<typeof chatMessageSchema>;

export const ITERATION_LIMIT = { min: 1, max: 20, default: 5 } as const;

/** One server of a run; without `tools`, every tool of it the caller may use. */
export const agentServerSchema = z.strictObject({
  /** `tenant:group:server`, `group:server`, or `server` where only one has that name. */
  integration_fqn: z.string().min(1),
  tools: z.array(z.strictObject({ name: z.string().min(1) })).optional(),
});

/** OpenAI's own sampling parameters are passed on to the model as they are; any other key is an error. */
export const agentRequestSchema = z.strictObject({
  model: z.string().min(1),
  messages: z.array(chatMessageSchema).min(1),
  stream: z.boolean().default(false),
  iteration_limit: z
    .number()
    .int()
    .min(ITERATION_LIMIT.min)
    .max(ITERATION_LIMIT.max)
    .default(ITERATION_LIMIT.default),
  mcp_servers: z.array(agentServerSchema).max(64).default([]),
  temperature: z.number().optional(),
  top_p: z.number().optional(),
  max_tokens: z.number().int().positive().optional(),
  max_completion_tokens: z.number().int().positive().optional(),
  presence_penalty: z.number().optional(),
  frequency_penalty: z.number().optional(),
  seed: z.number().int().optional(),
  stop: z.union([z.string(), z.array(z.string())]).optional(),
  reasoning_effort: z.string().optional(),
  parallel_tool_calls: z.boolean().optional(),
  tool_choice: z.union([z.string(), z.looseObject({})]).optional(),
  stream_options: z.looseObject({ include_usage: z.boolean().optional() }).optional(),
  metadata: z.record(z.string(), z.string()).optional(),
  user: z.string().optional(),
});
export type AgentRequest = z.infer<typeof agentRequestSchema>;
/** What a client may write: defaults left out. */
export type AgentRequestBody = z.input<typeof agentRequestSchema>;

export const usageSchema = z.object({
  prompt_tokens: z.number().int(),
  completion_tokens: z.number().int(),
  total_tokens: z.number().int(),
});
export type Usage = z.infer<typeof usageSchema>;

/** Why a run ended. `completed`: the model had nothing more to call. */
export const runStatusSchema = z.enum(['running', 'completed', 'iteration_limit', 'cancelled', 'failed']);
export type RunStatus = z.infer<typeof runStatusSchema>;

const deltaSchema = z.object({
  role: z.enum(['assistant', 'tool']).optional(),
  content: z.string().nullable().optional(),
  tool_call_id: z.string().optional(),
  tool_calls: z
    .array(
      z.object({
        index: z.number().int(),
        id: z.string().optional(),
        type: z.literal('function').optional(),
        function: z.object({ name: z.string().optional(), arguments: z.string().optional() }),
      }),
    )
    .optional(),
});
export type AgentDelta = z.infer<typeof deltaSchema>;

/** Facts about a tool call that its result chunk carries beside the OpenAI fields. */
export const toolResultFactsSchema = z.object({
  /** The server's fqn and the tool's own name there. */
  server: z.string(),
  tool: z.string(),
  isError: z.boolean(),
  durationMs: z.number(),
  structuredContent: z.unknown().optional(),
});
export type ToolResultFacts = z.infer<typeof toolResultFactsSchema>;

/** A tool offered to the model: the function name it sees, and what it stands for. */
export const offeredToolSchema = z.object({ function: z.string(), server: z.string(), tool: z.string() });
export type OfferedTool = z.infer<typeof offeredToolSchema>;

/** A call waits until its person has signed in at the server's authorization server. */
const authRequiredSchema = z.object({
  type: z.literal('mcp.auth_required'),
  /** The sign-in's; several calls may wait for one. */
  id: z.string(),
  server: z.string(),
  tool: z.string(),
  /** To be opened in a browser. */
  url: z.string(),
  message: z.string(),
  /** Milliseconds since the epoch. */
  expiresAt: z.number(),
});
export type AuthRequired = z.infer<typeof authRequiredSchema>;

/** The wait is over; `given` is whether somebody has signed in. */
const authResolvedSchema = z.object({
  type: z.literal('mcp.auth_resolved'),
  id: z.string(),
  server: z.string(),
  given: z.boolean(),
});
export type AuthResolved = z.infer<typeof authResolvedSchema>;

/** A policy noted something. */
const guardrailTriggeredSchema = z.object({
  type: z.literal('guardrail.triggered'),
  rule: z.string(),
  /** `audited`: it would have refused; `changed`: it changed what passes; `failed`: it broke and was passed over. */
  effect: z.enum(['audited', 'changed', 'failed']),
  message: z.string(),
  /** Of a tool's call. */
  server: z.string().optional(),
  tool: z.string().optional(),
});
export type GuardrailTriggered = z.infer<typeof guardrailTriggeredSchema>;

/** A call waits for somebody to approve it. */
const approvalRequiredSchema = z.object({
  type: z.literal('tool.approval_required'),
  /** The approval's. */
  id: z.string(),
  /** The model's id of the call. */
  toolCallId: z.string().optional(),
  server: z.string(),
  tool: z.string(),
  /** Where a person decides. */
  url: z.string(),
  /** Why it is asked. */
  message: z.string(),
  approvers: z.array(z.string()),
  /** Milliseconds since the epoch. */
  expiresAt: z.number(),
});
export type ApprovalRequired = z.infer<typeof approvalRequiredSchema>;

const approvalResolvedSchema = z.object({
  type: z.literal('tool.approval_resolved'),
  id: z.string(),
  toolCallId: z.string().optional(),
  server: z.string(),
  tool: z.string(),
  verdict: z.enum(['approved', 'denied', 'expired', 'cancelled']),
  by: z.string().optional(),
  /** Of a denial. */
  reason: z.string().optional(),
});
export type ApprovalResolved = z.infer<typeof approvalResolvedSchema>;

/**
 * What rides in `toolgate` on a chunk. The named events (`event: run.created` and so on) are chunks with an
 * empty `choices`, as OpenAI's own usage chunk is, so that a plain OpenAI client passes over them.
 */
export const agentEventSchema = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('run.created'),
    runId: z.string(),
    traceId: z.string(),
    model: z.string(),
    iterationLimit: z.number().int(),
    tools: z.array(offeredToolSchema),
    /** Tools that could not be offered to the model, and why. */
    omitted: z.array(z.object({ server: z.string(), tool: z.string(), reason: z.string() })),
  }),
  z.object({ type: z.literal('iteration.started'), iteration: z.number().int() }),
  z.object({ type: z.literal('tool.result') }).extend(toolResultFactsSchema.shape),
  authRequiredSchema,
  authResolvedSchema,
  approvalRequiredSchema,
  approvalResolvedSchema,
  guardrailTriggeredSchema,
  z.object({
    type: z.literal('run.done'),
    runId: z.string(),
    status: runStatusSchema.exclude(['running']),
    iterations: z.number().int(),
    toolCalls: z.number().int(),
    durationMs: z.number(),
    /** From the request's arrival to the first content or tool-call delta; absent when there was none. */
    timeToFirstTokenMs: z.number().optional(),
    error: z.string().optional(),
  }),
]);
export type AgentEvent = z.infer<typeof agentEventSchema>;

/** One SSE `data:` of a streamed run. */
export const agentChunkSchema = z.object({
  /** The run's id, the same on every chunk. */
  id: z.string(),
  object: z.literal('chat.completion.chunk'),
  /** Unix seconds. */
  created: z.number().int(),
  model: z.string(),
  choices: z.array(
    z.object({ index: z.number().int(), delta: deltaSchema, finish_reason: z.string().nullable() }),
  ),
  usage: usageSchema.nullable().optional(),
  toolgate: agentEventSchema.optional(),
});
export type AgentChunk = z.infer<typeof agentChunkSchema>;

/** The error that ends a broken stream instead of `[DONE]`, and the body of a refused request: OpenAI's shape. */
export const llmErrorSchema = z.object({
  error: z.object({
    message: z.string(),
    type: z.string(),
    code: z.string().nullable(),
    param: z.string().nullable(),
  }),
});
export type LlmError = z.infer<typeof llmErrorSchema>;

/** The answer to `stream: false`. */
export const agentCompletionSchema = z.object({
  id: z.string(),
  object: z.literal('chat.completion'),
  created: z.number().int(),
  model: z.string(),
  choices: z.array(
    z.object({
      index: z.number().int(),
      message: z.object({ role: z.literal('assistant'), content: z.string() }),
      finish_reason: z.string(),
    }),
  ),
  usage: usageSchema.optional(),
  toolgate: z.object({
    runId: z.string(),
    status: runStatusSchema,
    iterations: z.number().int(),
    durationMs: z.number(),
    /** Every tool call of the run in the order of its results. */
    toolCalls: z.array(
      z
        .object({ id: z.string(), function: z.string(), arguments: z.string(), content: z.string() })
        .extend(toolResultFactsSchema.shape),
    ),
    error: z.string().optional(),
  }),
});
export type AgentCompletion = z.infer<typeof agentCompletionSchema>;

/** `GET /api/llm/agent/runs/{id}`, and the answer to its `cancel`. */
export const runViewSchema = z.object({
  id: z.string(),
  object: z.literal('agent.run'),
  status: runStatusSchema,
  model: z.string(),
  /** Unix seconds. */
  created: z.number().int(),
  iterations: z.number().int(),
  toolCalls: z.number().int(),
  /** The newest event's SSE id; `Last-Event-ID` takes it. */
  lastEventId: z.number().int(),
  error: z.string().optional(),
});
export type RunView = z.infer<typeof runViewSchema>;
