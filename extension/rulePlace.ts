import { isNode, parseDocument } from 'yaml';

/**
 * Where in a configuration's text a rule stands, as `groups[0].servers[1].tools[0]` names it: offsets from its start. The
 * nearest part that is there, where the rule is a default that is not written; undefined where no part is.
 */
export function placeOfRule(
  text: string,
  rule: string,
): { readonly start: number; readonly end: number } | undefined {
  const path = [...rule.matchAll(/([A-Za-z_]\w*)|\[(\d+)\]/g)].map(([, key, index]) => key ?? Number(index));
  const document = parseDocument(text);
  for (let length = path.length; length > 0; length--) {
    const node = document.getIn(path.slice(0, length), true);
    if (isNode(node) && node.range) return { start: node.range[0], end: node.range[1] };
  }
  return undefined;
}
