import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import { z } from 'zod';

/** An MCP server over stdio with a few pull requests, named as the tools of a code host are. */
const pulls = [
  { number: 41, title: 'Raise the limit', author: 'ada' },
  { number: 42, title: 'Fix the cache', author: 'grace' },
];
const comments: { number: number; text: string }[] = [];

const server = new McpServer({ name: 'pull-requests', version: '1.0.0' });
server.registerTool(
  'listPullRequests',
  { description: 'Lists the open pull requests', inputSchema: {} },
  () => ({
    content: [{ type: 'text', text: JSON.stringify(pulls) }],
    structuredContent: { pulls },
  }),
);
server.registerTool(
  'createComment',
  { description: 'Comments on a pull request', inputSchema: { number: z.number().int(), text: z.string() } },
  (comment) => {
    if (!pulls.some((pull) => pull.number === comment.number)) {
      return {
        content: [{ type: 'text', text: `There is no pull request ${comment.number}` }],
        isError: true,
      };
    }
    comments.push(comment);
    return { content: [{ type: 'text', text: `comment ${comments.length} created` }] };
  },
);
server.registerTool(
  'a'.repeat(60),
  { description: 'Has a name too long to be offered', inputSchema: {} },
  () => ({
    content: [{ type: 'text', text: 'never called' }],
  }),
);
await server.connect(new StdioServerTransport());
