import { join } from 'node:path';
import type { AgentRequestBody } from '../../gateway/contract/agent.ts';
import { createAgentClient, type AgentClient } from './agent-client.ts';
import { EVERYTHING } from './configs.ts';
import { ROOT, startGateway, type RunningGateway } from './gateway.ts';
import {
  startOpenAiWire,
  type OpenAiWire,
  type WireCall,
  type WireReply,
  type WireStep,
} from './openai-wire.ts';

/** The key the gateway sends to its provider. */
export const PROVIDER_KEY = 'the-key-of-the-gateway';
export const GITHUB = 'truefoundry:prod-mcps:github-mcp';

/** The body of the reference, unchanged. */
export const ARTICLE: AgentRequestBody = {
  model: 'gpt-4o',
  stream: true,
  iteration_limit: 5,
  messages: [{ role: 'user', content: 'List the open pull requests and comment on the newest.' }],
  mcp_servers: [{ integration_fqn: GITHUB, tools: [{ name: 'listPullRequests' }] }],
};

/** The call that fits it. */
export const LIST: WireCall = { id: 'call_1', name: 'github-mcp__listPullRequests', arguments: '{}' };

/** The reference's body with all tools of two servers. */
export function ask(more: Partial<AgentRequestBody> = {}): AgentRequestBody {
  const servers = [{ integration_fqn: GITHUB }, { integration_fqn: 'toolgate:common:everything-mcp' }];
  return { ...ARTICLE, mcp_servers: servers, ...more };
}

export function echo(id: string, message: string): WireCall {
  return { id, name: 'everything-mcp__echo', arguments: JSON.stringify({ message }) };
}

/** A call of a tool that takes this long. */
export function slow(id: string, seconds: number): WireCall {
  const args = JSON.stringify({ duration: seconds, steps: 1 });
  return { id, name: 'everything-mcp__trigger-long-running-operation', arguments: args };
}

export function stepsOf(reply: WireReply): readonly WireStep[] {
  return 'steps' in reply ? reply.steps : [];
}

export interface AgentSetup {
  readonly gateway: RunningGateway;
  readonly wire: OpenAiWire;
  readonly agent: AgentClient;
  stop(): Promise<void>;
}

/** The built gateway with real MCP servers, and a provider that answers what a test scripts. */
export async function startAgentSetup(): Promise<AgentSetup> {
  const wire = await startOpenAiWire();
  const gateway = await startGateway({
    config: `
version: 1
tenant: { name: toolgate, aliases: [truefoundry] }
groups:
  - name: prod-mcps
    servers:
      - { name: github-mcp, command: node, args: ["${join(ROOT, 'test/support/pull-requests-server.ts')}"] }
  - name: common
    servers:
      - ${EVERYTHING}
models:
  providers:
    - { name: openai, type: openai-compatible, baseUrl: "${wire.baseUrl}", apiKey: "\${env:WIRE_KEY}", models: [gpt-4o], allowPrivateAddress: true }
    - { name: demo, type: demo }
  aliases: { gpt-4o: openai/gpt-4o }
`,
    env: { WIRE_KEY: PROVIDER_KEY },
  });
  return {
    gateway,
    wire,
    agent: createAgentClient(gateway.address, gateway.token),
    stop: async () => {
      await gateway.stop();
      await wire.close();
    },
  };
}
