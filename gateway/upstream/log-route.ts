import type { Connection } from './connection.ts';
import type { ServerMessages } from './server-messages.ts';

const LOG = 'notifications/message';

/**
 * Finds the request that a log message of a modern server over stdio is about. Such a message does not say (MCP
 * 2026-07-28, Logging; over HTTP its stream does), so it is delivered where only one request asked for any, and to
 * nobody where it might be another caller's.
 */
export class LogRoute {
  private readonly waiting = new Set<ServerMessages>();

  /** The messages of a connection, with log messages taken out where requests wait for them. */
  before(messages: ServerMessages): ServerMessages {
    return {
      ...messages,
      onNotification: (method, params) => {
        const [one, ...others] = method === LOG ? this.waiting : [];
        if (one === undefined) messages.onNotification(method, params);
        else if (others.length === 0) one.onNotification(method, params);
      },
    };
  }

  /** Requests that wait for log messages where their envelope asks for any. */
  following(request: Connection['request']): Connection['request'] {
    return (method, params, options) => {
      const { related, envelope } = options;
      const answer = request(method, params, options);
      if (related === undefined || envelope?.logLevel === undefined) return answer;
      this.waiting.add(related);
      return answer.finally(() => this.waiting.delete(related));
    };
  }
}
