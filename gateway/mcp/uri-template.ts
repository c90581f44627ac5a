/**
 * Whether a URI fits an RFC 6570 template, told by the template's literal parts alone: each must occur in order,
 * the first at the start, the last at the end. It routes a read to the server that offers the template; whether
 * the resource exists is for that server to say. Linear in the URI: no regular expression from a server is run.
 */
export function compileTemplate(template: string): (uri: string) => boolean {
  const literals = template.split(/\{[^{}]*\}/);
  const [first = '', ...rest] = literals;
  const last = rest.pop();
  if (last === undefined) return (uri) => uri === template;
  return (uri) => {
    if (!uri.startsWith(first)) return false;
    let at = first.length;
    for (const literal of rest) {
      const found = uri.indexOf(literal, at);
      if (found < 0) return false;
      at = found + literal.length;
    }
    return uri.length - last.length >= at && uri.endsWith(last);
  };
}
