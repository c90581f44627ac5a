import { isJsonObject, type JsonObject } from '../contract/json.ts';
import { argumentHeaders, readMarks, type MirroredArgument } from './mirrored-headers.ts';

/** Which arguments of a server's tools go into headers as well, as its tools were last listed. */
export class MarkedTools {
  private readonly byTool = new Map<string, readonly MirroredArgument[]>();
  private readonly warn: (words: string) => void;

  constructor(warn: (words: string) => void) {
    this.warn = warn;
  }

  /** Takes a page of `tools/list` and returns it without the tools whose marks are faulty. */
  learn(params: JsonObject, result: JsonObject): JsonObject {
    if (params['cursor'] === undefined) this.byTool.clear();
    const { tools } = result;
    if (!Array.isArray(tools)) return result;
    const sound = tools.filter((tool) => this.take(tool));
    return sound.length === tools.length ? result : { ...result, tools: sound };
  }

  /** The headers of a `tools/call`; undefined when its tool marks nothing. */
  headers(params: JsonObject): Record<string, string> | undefined {
    const marked = this.byTool.get(String(params['name']));
    return marked && argumentHeaders(marked, params['arguments']);
  }

  private take(tool: unknown): boolean {
    if (!isJsonObject(tool) || typeof tool['name'] !== 'string') return true;
    const marks = readMarks(tool['inputSchema']);
    if ('fault' in marks) {
      this.warn(`the tool ${tool['name']} is left out: ${marks.fault}`);
      return false;
    }
    if (marks.marked.length > 0) this.byTool.set(tool['name'], marks.marked);
    return true;
  }
}
