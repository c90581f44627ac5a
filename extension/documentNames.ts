/** Characters of a part of a name. */
const MAX_PART = 40;

/** A text of others' as a part of a document's name: nothing that ends a folder, hides or acts; not too long for a tab. */
export function namePart(text: string): string {
  return text.replace(/[^\p{L}\p{N}_.-]/gu, '_').slice(0, MAX_PART);
}

/**
 * What the tab of an approval's document is called: `echo · everything-mcp · 3f9a21`, tool and server for a person to
 * read, and the end of the id, which no other has.
 */
export function approvalName(approval: {
  readonly id: string;
  readonly tool: string;
  readonly server: string;
}): string {
  const server = approval.server.split(':').at(-1) ?? '';
  return [namePart(approval.tool), namePart(server), approval.id.slice(-6)].join(' · ');
}
