import { expect, it } from 'vitest';
import { parse } from 'jsonc-parser';
import { CLIENTS } from '../../../gateway/contract/import.ts';
import { attached, detached, installLinks } from '../../../gateway/registry/import/attach.ts';
import { readProposal } from '../../../gateway/registry/import/proposal.ts';

const url = 'http://127.0.0.1:8665/mcp';
const TOKEN = 'tg_pat_canary0123456789';
const of = (client: (typeof CLIENTS)[number]): Parameters<typeof attached>[1] => ({
  client,
  name: 'toolgate',
  url,
  token: TOKEN,
});

it('writes itself into every list, is recognised there, and leaves all else as it was', () => {
  for (const client of CLIENTS) {
    const list = client === 'vscode' ? 'servers' : 'mcpServers';
    const before = `{\n\t// Mine.\n\t"other": [1,2,  3],\n\t"${list}": {\n\t\t"a": { "command": "x" } // keep\n\t}\n}\n`;
    const after = attached(before, of(client));
    expect(after).toContain('\t// Mine.\n\t"other": [1,2,  3],\n');
    expect(after).toContain('"a": { "command": "x" }');
    expect(after).toContain('// keep');
    expect(after.includes(TOKEN), client).toBe(client !== 'vscode');
    expect(attached(after, of(client)), client).toBe(after);
    // What it wrote is what import reads, and leaves out as the gateway itself.
    const { problems, servers } = readProposal(after, { client, gateway: 'http://127.0.0.1:8665' });
    expect(servers.map(({ entry }) => entry)).toEqual(['a']);
    expect(problems).toEqual([{ entry: 'toolgate', message: 'it is this gateway itself' }]);
    expect(parse(detached(after, client, 'toolgate'))).toEqual({
      ...(parse(before) as object),
      ...(client === 'vscode' && { inputs: [] }),
    });
    expect(parse(attached('', of(client)))).toHaveProperty([list, 'toolgate']);
  }
});

it('leaves a list alone that it does not understand', () => {
  for (const text of ['[]', '{"mcpServers": []}', '{"mcpServers": {', '"x"'])
    expect(() => attached(text, of('cursor')), text).toThrow('mend it first');
});

it('makes links that hold no token and decode to the entry', () => {
  const links = installLinks('our gateway & more', url);
  const query = links.vscode.slice('vscode:mcp/install?'.length);
  expect(JSON.parse(decodeURIComponent(query))).toMatchObject({
    name: 'our gateway & more',
    type: 'http',
    url,
  });
  const cursor = new URL(links.cursor).searchParams;
  expect(cursor.get('name')).toBe('our gateway & more');
  expect(JSON.parse(Buffer.from(cursor.get('config')!, 'base64').toString())).toMatchObject({ url });
});
