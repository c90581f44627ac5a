import { customElement, property } from 'lit/decorators.js';
import { Markdown } from '../markdown.ts';
import { LightElement } from './light-element.ts';

/** Beyond this length Markdown is shown as plain text while it grows: parsing it anew with each token would lag. */
const MARKDOWN_LIMIT = 100_000;

/** A text of the assistant, which may still be growing. */
@customElement('tg-markdown')
export class MarkdownText extends LightElement {
  @property({ attribute: false }) text = '';
  private readonly markdown = new Markdown();

  protected override updated(): void {
    if (this.text.length > MARKDOWN_LIMIT) {
      const plain = document.createElement('pre');
      plain.textContent = this.text;
      this.replaceChildren(plain);
    } else {
      this.replaceChildren(this.markdown.render(this.text));
    }
  }
}
