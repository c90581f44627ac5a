import type { Preset } from '../contract/presets.ts';

const SIGN_IN =
  'Each person signs in to it. Where it registers no clients by itself, it says so: then set auth.clientId.';

/** The known servers that are shipped: their makers' own, remote where there is one. In the order of their names. */
export const PRESETS: readonly Preset[] = [
  oauth('asana', 'Asana', 'Tasks and projects', ['work'], 'https://mcp.asana.com/v2/mcp'),
  oauth(
    'atlassian',
    'Atlassian',
    'Jira issues and Confluence pages',
    ['work', 'documents'],
    'https://mcp.atlassian.com/v1/mcp',
  ),
  open(
    'cloudflare-docs',
    'Cloudflare documentation',
    'Searches the documentation of Cloudflare',
    ['documents', 'cloud'],
    'https://docs.mcp.cloudflare.com/mcp',
  ),
  open(
    'context7',
    'Context7',
    'Up-to-date documentation of libraries',
    ['documents', 'code'],
    'https://mcp.context7.com/mcp',
  ),
  open(
    'deepwiki',
    'DeepWiki',
    'Questions about public GitHub repositories',
    ['documents', 'code'],
    'https://mcp.deepwiki.com/mcp',
  ),
  run(
    'everything',
    'Everything',
    "MCP's own test server: something of all a server can offer",
    ['test'],
    'npx',
    ['-y', '@modelcontextprotocol/server-everything'],
  ),
  run(
    'fetch',
    'Fetch',
    'Fetches web pages as text',
    ['web'],
    'uvx',
    ['mcp-server-fetch'],
    'It fetches any address that its machine reaches, private ones included.',
  ),
  oauth('figma', 'Figma', 'Designs and their code', ['design'], 'https://mcp.figma.com/mcp'),
  run(
    'filesystem',
    'Filesystem',
    'Reads and writes files of one folder',
    ['files'],
    'npx',
    ['-y', '@modelcontextprotocol/server-filesystem', '.'],
    'The last argument is the folder it may use; "." is that of the configuration.',
  ),
  run('git', 'Git', 'Reads and changes a local repository', ['code'], 'uvx', ['mcp-server-git']),
  bearer(
    'github',
    'GitHub',
    'Repositories, pull requests and issues',
    ['code'],
    'https://api.githubcopilot.com/mcp/',
    'a personal access token',
    'https://github.com/settings/personal-access-tokens',
  ),
  bearer(
    'huggingface',
    'Hugging Face',
    'Models, data sets, papers and spaces',
    ['ai'],
    'https://huggingface.co/mcp',
    'an access token',
    'https://huggingface.co/settings/tokens',
  ),
  bearer(
    'linear',
    'Linear',
    'Issues, projects and comments',
    ['work'],
    'https://mcp.linear.app/mcp',
    'an API key',
    'https://linear.app/settings/account/security',
  ),
  run('memory', 'Memory', 'A knowledge graph that is kept in a file', ['memory'], 'npx', [
    '-y',
    '@modelcontextprotocol/server-memory',
  ]),
  open(
    'microsoft-learn',
    'Microsoft Learn',
    'Searches the documentation of Microsoft',
    ['documents'],
    'https://learn.microsoft.com/api/mcp',
  ),
  run(
    'mongodb',
    'MongoDB',
    'Queries and manages MongoDB and Atlas',
    ['database'],
    'npx',
    ['-y', 'mongodb-mcp-server'],
    'Add --readOnly to its arguments unless it shall write.',
    {
      variable: 'MDB_MCP_CONNECTION_STRING',
      what: 'a connection string',
      where: 'https://www.mongodb.com/docs/manual/reference/connection-string/',
    },
  ),
  run(
    'notion',
    'Notion',
    'Pages, databases and comments',
    ['documents'],
    'npx',
    ['-y', '@notionhq/notion-mcp-server'],
    "Notion's remote server, https://mcp.notion.com/mcp, signs in with OAuth.",
    {
      variable: 'NOTION_TOKEN',
      what: 'the token of an internal integration',
      where: 'https://www.notion.so/profile/integrations',
    },
  ),
  run(
    'perplexity',
    'Perplexity',
    'Web search and answers with sources',
    ['web', 'search'],
    'npx',
    ['-y', '@perplexity-ai/mcp-server'],
    undefined,
    {
      variable: 'PERPLEXITY_API_KEY',
      what: 'an API key',
      where: 'https://www.perplexity.ai/account/api/group',
    },
  ),
  run(
    'playwright',
    'Playwright',
    'Drives a browser',
    ['web', 'test'],
    'npx',
    ['-y', '@playwright/mcp', '--headless', '--isolated'],
    'It opens any page, with the rights of its machine.',
  ),
  run(
    'postgres',
    'PostgreSQL',
    'Queries PostgreSQL and looks after its health',
    ['database'],
    'uvx',
    ['postgres-mcp', '--access-mode=restricted'],
    "A third party's (Crystal DBA): there is no official one any more.",
    {
      variable: 'DATABASE_URI',
      what: 'a connection string',
      where: 'https://www.postgresql.org/docs/current/libpq-connect.html',
    },
  ),
  oauth(
    'sentry',
    'Sentry',
    'Errors and performance of applications',
    ['operations'],
    'https://mcp.sentry.dev/mcp',
  ),
  run(
    'sequential-thinking',
    'Sequential thinking',
    'A scratch pad for thoughts, step by step',
    ['memory'],
    'npx',
    ['-y', '@modelcontextprotocol/server-sequential-thinking'],
  ),
  oauth('slack', 'Slack', 'Channels, messages and search', ['work', 'chat'], 'https://mcp.slack.com/mcp'),
  bearer(
    'stripe',
    'Stripe',
    'Payments, customers and invoices',
    ['finance'],
    'https://mcp.stripe.com',
    'a restricted API key',
    'https://dashboard.stripe.com/apikeys',
  ),
  run('time', 'Time', 'The time, and time zones', ['utility'], 'uvx', ['mcp-server-time']),
];

/** The presets whose name, title, description or tags hold every word. */
export function searchPresets(query: string): readonly Preset[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  return PRESETS.filter(({ name, title, description, tags }) => {
    const text = [name, title, description, ...tags].join('\n').toLowerCase();
    return words.every((word) => text.includes(word));
  });
}

type About = readonly [name: string, title: string, description: string, tags: string[]];

function remote([name, title, description, tags]: About, url: string): Omit<Preset, 'auth'> {
  return { name, title, description, tags, server: { name, description, tags, url } };
}

function open(...[name, title, description, tags, url]: [...About, url: string]): Preset {
  return { ...remote([name, title, description, tags], url), auth: 'none' };
}

function oauth(...[name, title, description, tags, url]: [...About, url: string]): Preset {
  const preset = remote([name, title, description, tags], url);
  const server = { ...preset.server, auth: { type: 'oauth2' } };
  return { ...preset, server, auth: 'oauth', note: SIGN_IN };
}

function bearer(
  ...[name, title, description, tags, url, what, where]: [...About, url: string, what: string, where: string]
): Preset {
  const preset = remote([name, title, description, tags], url);
  const headers = { Authorization: `Bearer \${secret:${name}}` };
  return {
    ...preset,
    auth: 'header',
    credential: { secret: name, what, where },
    server: { ...preset.server, auth: { type: 'header', headers } },
  };
}

function run(
  ...[name, title, description, tags, command, args, note, credential]: [
    ...About,
    command: string,
    args: string[],
    note?: string | undefined,
    credential?: { readonly variable: string; readonly what: string; readonly where: string },
  ]
): Preset {
  const server = { name, description, tags, command, args };
  const more = { name, title, description, tags, ...(note !== undefined && { note }) };
  if (credential === undefined) return { ...more, auth: 'none', server };
  const { variable, what, where } = credential;
  return {
    ...more,
    auth: 'env',
    credential: { secret: name, what, where },
    server: { ...server, env: { [variable]: `\${secret:${name}}` } },
  };
}
