import * as vscode from 'vscode';
import * as z from 'zod';
import { definitionText } from '../gateway/contract/pin-text.ts';
import { pinItemSchema, pinsViewSchema } from '../gateway/contract/pins.ts';
import type { PinChange, PinItem } from '../gateway/contract/pins.ts';
import { namePart } from './documentNames.ts';
import type { GatewayController } from './gatewayController.ts';

const { t } = vscode.l10n;

/** Of the documents that show a definition. */
export const PIN_SCHEME = 'toolgate-pin';

/** A definition that waits for review, and the server (fqn) that offers it. */
export interface PinTarget {
  readonly server: string;
  readonly item: PinItem;
}

type Side = 'accepted' | 'offered';

const querySchema = z.object({
  server: z.string(),
  item: pinItemSchema,
  side: z.enum(['accepted', 'offered']),
});

/** The document of one side of a change. The hash makes it another document when the server changes it again. */
export function pinUri({ server, item }: PinTarget, side: Side): vscode.Uri {
  const { kind, name } = item;
  const title = namePart(name === '' ? kind : name);
  return vscode.Uri.from({
    scheme: PIN_SCHEME,
    path: `/${title}.md`,
    query: JSON.stringify({ server, item, side }),
  });
}

/** What a document of ours shows; undefined for any other. */
export function readPinUri(uri: vscode.Uri): (PinTarget & { readonly side: Side }) | undefined {
  if (uri.scheme !== PIN_SCHEME) return undefined;
  try {
    return querySchema.parse(JSON.parse(uri.query));
  } catch {
    return undefined;
  }
}

/** A change as the gateway knows it now; undefined when it does not wait any more. */
export async function readChange(
  controller: GatewayController,
  { server, item }: PinTarget,
): Promise<PinChange | undefined> {
  const query = new URLSearchParams({ server });
  const answer = await controller.client?.json('GET', `/api/v1/pins?${query.toString()}`);
  if (answer === undefined) throw new Error(t('The gateway is not running. Start it first.'));
  const [found] = pinsViewSchema.parse(answer).servers;
  return found?.changes.find(
    ({ kind, name, hash }) => kind === item.kind && name === item.name && hash === item.hash,
  );
}

/** Gives the editor both sides of a change as documents that nobody can edit. */
export function providePinDocuments(controller: GatewayController): vscode.Disposable {
  return vscode.workspace.registerTextDocumentContentProvider(PIN_SCHEME, {
    provideTextDocumentContent: async (uri) => {
      const asked = readPinUri(uri);
      const change = asked === undefined ? undefined : await readChange(controller, asked);
      if (change === undefined) return t('This definition does not wait for review any more.');
      return definitionText(asked?.side === 'offered' ? change.offered : change.accepted?.content);
    },
  });
}
