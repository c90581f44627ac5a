import DOMPurify from 'dompurify';
import MarkdownIt from 'markdown-it';

/**
 * Turns Markdown of a model into nodes that are safe to show: no HTML of its own, no images (which would tell a
 * stranger's server that they were looked at), no style attributes (which the page's policy refuses).
 */
export class Markdown {
  readonly #parser = new MarkdownIt({ html: false, linkify: true, breaks: true }).disable('image');

  constructor() {
    const { rules } = this.#parser.renderer;
    rules['link_open'] = (tokens, index, options, _env, self) => {
      const token = tokens[index];
      token?.attrSet('target', '_blank');
      token?.attrSet('rel', 'noopener noreferrer');
      return self.renderToken(tokens, index, options);
    };
    for (const cell of ['th_open', 'td_open']) {
      rules[cell] = (tokens, index, options, _env, self) => {
        const token = tokens[index];
        const align = /text-align:(\w+)/.exec(String(token?.attrGet('style') ?? ''))?.[1];
        if (token) token.attrs = align === undefined ? [] : [['class', `align-${align}`]];
        return self.renderToken(tokens, index, options);
      };
    }
  }

  render(text: string): DocumentFragment {
    return DOMPurify.sanitize(this.#parser.render(text), {
      RETURN_DOM_FRAGMENT: true,
      USE_PROFILES: { html: true },
      ADD_ATTR: ['target'],
      FORBID_TAGS: ['img', 'form', 'input', 'style'],
      FORBID_ATTR: ['style'],
    });
  }
}
